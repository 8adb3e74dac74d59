//! The two stores of a copy.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::progress::CopyProgress;
use super::settings::Settings;
use crate::background::driver::{Ended, JobDriver};
use crate::model::{Error, Space};
use crate::storage::Adapter;

/// The source and the target.
#[derive(Debug, Clone)]
pub(super) struct Stores {
    pub(super) from: Arc<dyn Adapter>,
    pub(super) to: Arc<dyn Adapter>,
}

impl Stores {
    /// The chosen spaces that are in use, of the source and of the target.
    pub(super) async fn spaces(
        &self,
        driver: &mut JobDriver<CopyProgress>,
        settings: &Settings,
    ) -> Result<(BTreeSet<Space>, BTreeSet<Space>), Ended> {
        let chosen = |space: &Space| {
            let wanted = &settings.spaces;
            !space.is_reserved() && (wanted.is_empty() || wanted.binary_search(space).is_ok())
        };
        let from = driver.attempt(|| self.from.spaces()).await?;
        let to = driver.attempt(|| self.to.spaces()).await?;
        let [from, to] = [from, to].map(|spaces| spaces.into_iter().filter(chosen).collect());
        Ok((from, to))
    }
}

/// Refuses a named space that none of the `stores` has: a copy of a misspelled space would be
/// complete, with nothing in it.
pub(super) fn check_named(
    settings: &Settings,
    stores: &[&BTreeSet<Space>],
    holder: &str,
) -> Result<(), Error> {
    let is_missing = |space: &&Space| !stores.iter().any(|spaces| spaces.contains(*space));
    match settings.spaces.iter().find(is_missing) {
        None => Ok(()),
        Some(space) => Err(Error::invalid_input(format!(
            "{holder} documents in space {:?}; check its name, and that the store is the right \
             one: `Adapter::spaces` lists the spaces that hold documents",
            space.as_str()
        ))
        .in_space(space)),
    }
}
