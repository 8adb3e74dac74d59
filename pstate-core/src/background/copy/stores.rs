//! The two stores of a copy.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::progress::CopyProgress;
use super::settings::Settings;
use crate::background::driver::{Ended, JobDriver};
use crate::model::Space;
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
