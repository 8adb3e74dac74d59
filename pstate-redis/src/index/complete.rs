//! Reading lists of which it is certain that nothing is missing.

use std::collections::BTreeSet;

use pstate_core::{Error, ErrorKind, Result, Space};

use super::entries::Entries;
use crate::error::{Effect, Failure};
use crate::layout::spaces_mark;
use crate::store::{Listed, Store};

/// How often to rebuild lists that are lost again at once.
const ATTEMPTS: usize = 3;

impl Store {
    /// Reads entries of a type as [`entries`](Self::entries) does, and rebuilds an index that was
    /// lost.
    pub(crate) async fn complete_entries(
        &self,
        space: &Space,
        entity_type: &str,
        bounds: (&[u8], &[u8]),
        count: usize,
    ) -> Result<Entries> {
        for _ in 0..ATTEMPTS {
            let rebuilt = self.rebuilds.count();
            let entries = self.entries(space, entity_type, bounds, count).await?;
            if entries.is_complete {
                return Ok(entries);
            }
            if entries.ids.is_empty() {
                let (types, is_complete) = self.listed_types(space).await?;
                let is_listed = types.iter().any(|name| name == entity_type);
                let is_unused = if is_complete {
                    !is_listed
                } else {
                    types.is_empty() && self.is_unused(space).await?
                };
                if is_unused {
                    return Ok(entries);
                }
            }
            let lost = format!("the index of `{entity_type}` in space {space}");
            self.rebuild(rebuilt, &lost, Some((space, Some(entity_type)))).await?;
        }
        Err(lost_again())
    }

    /// The types that there may be in a space, in the order of their keys.
    pub(crate) async fn types(&self, space: &Space) -> Result<Vec<String>> {
        for _ in 0..ATTEMPTS {
            let rebuilt = self.rebuilds.count();
            let (mut types, is_complete) = self.listed_types(space).await?;
            if is_complete || (types.is_empty() && self.is_unused(space).await?) {
                // What follows a type in a key is a colon.
                types.sort_unstable_by_key(|name| format!("{name}:"));
                return Ok(types);
            }
            let lost = format!("the list of types in space {space}");
            self.rebuild(rebuilt, &lost, Some((space, None))).await?;
        }
        Err(lost_again())
    }

    /// The spaces that there may be.
    pub(crate) async fn listed_spaces(&self) -> Result<BTreeSet<Space>> {
        for _ in 0..ATTEMPTS {
            let rebuilt = self.rebuilds.count();
            let names = self.members(&self.layout.spaces()).await?;
            let mark = spaces_mark(self.layout.placement).as_bytes();
            let is_complete = names.iter().any(|name| name == mark)
                || (names.is_empty() && self.is_absent().await.map_err(failed)?);
            if is_complete {
                let space = |name: Vec<u8>| Space::from_stored(&name).ok();
                return Ok(names.into_iter().filter_map(space).collect());
            }
            self.rebuild(rebuilt, "the list of spaces", None).await?;
        }
        Err(lost_again())
    }

    /// Whether it is certain that nothing was ever written into a space.
    async fn is_unused(&self, space: &Space) -> Result<bool> {
        Ok(self.listed(space).await.map_err(failed)? == Listed::No)
    }
}

fn failed(failure: Failure) -> Error {
    failure.into_error(Effect::Read)
}

fn lost_again() -> Error {
    let why = "the index of the store is lost again as soon as it is rebuilt; another program \
               deletes it, or the server evicts it";
    Error::new(ErrorKind::Unavailable, why).retryable()
}
