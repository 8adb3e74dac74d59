//! What an adapter may offer beyond the contract.

use std::fmt;

use async_trait::async_trait;

use super::change_feed::ChangeFeed;
use super::maintenance::Maintenance;
use crate::model::{Result, Space, VersionCounts};

/// What an adapter can do beyond, or faster than, what the handle could through the other methods.
///
/// A layer hands on the extensions of the adapter that it wraps.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Extensions<'a> {
    /// Counting documents by type and version.
    pub count_versions: Option<&'a dyn CountVersions>,
    /// Telling what others change.
    pub change_feed: Option<&'a dyn ChangeFeed>,
    /// Looking after the store as a whole.
    pub maintenance: Option<&'a dyn Maintenance>,
}

impl<'a> Extensions<'a> {
    /// Nothing beyond the contract.
    pub const fn none() -> Self {
        Self { count_versions: None, change_feed: None, maintenance: None }
    }

    /// Adds the counting of versions.
    pub const fn count_versions(mut self, counter: &'a dyn CountVersions) -> Self {
        self.count_versions = Some(counter);
        self
    }

    /// Adds the telling of changes.
    pub const fn change_feed(mut self, feed: &'a dyn ChangeFeed) -> Self {
        self.change_feed = Some(feed);
        self
    }

    /// Adds backups, checks and cleaning.
    pub const fn maintenance(mut self, maintenance: &'a dyn Maintenance) -> Self {
        self.maintenance = Some(maintenance);
        self
    }
}

/// Counts documents where they are stored, instead of reading them page by page.
#[async_trait]
pub trait CountVersions: fmt::Debug + Send + Sync {
    /// Counts the records of a space, each by [`VersionCounts::add`].
    ///
    /// # Errors
    /// Only for the call as a whole; always retryable if it may pass.
    ///
    /// # Cost
    /// One round trip, proportional to the space.
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts>;
}
