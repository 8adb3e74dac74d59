//! What this adapter has entered in the lists of spaces and of types.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use pstate_core::Space;

/// The places that this adapter has entered in the lists of spaces and types.
///
/// Another program may empty the server meanwhile. So a write that is the first of its type in the
/// index, although its place is known, enters it again before it is acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entered: Mutex<Entered>,
}

#[derive(Debug, Default)]
struct Entered {
    places: HashMap<Space, HashSet<String>>,
    /// How often servers had changed, or connections broke, when these were entered: a replica
    /// that takes over, or a server that was restarted, may lack some.
    changes: u64,
}

impl Registry {
    /// Those of the types, each once, that were not entered since the servers have changed last.
    pub(super) fn missing<'a>(
        &self,
        space: &Space,
        types: impl IntoIterator<Item = &'a str>,
        changes: u64,
    ) -> Vec<&'a str> {
        let entered = self.entered.lock();
        let known = entered.places.get(space).filter(|_| entered.changes == changes);
        let is_missing = |entity_type: &&str| !known.is_some_and(|k| k.contains(*entity_type));
        let mut missing: Vec<&str> = types.into_iter().filter(is_missing).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Notes what was entered when the servers had changed this often.
    pub(super) fn note(&self, space: &Space, types: &[&str], changes: u64) {
        let mut known = self.entered.lock();
        if known.changes != changes {
            *known = Entered { places: HashMap::new(), changes };
        }
        let entered = types.iter().map(|&entity_type| entity_type.to_owned());
        known.places.entry(space.clone()).or_default().extend(entered);
    }

    /// Forgets what was entered, because the servers may have lost it.
    pub(crate) fn clear(&self) {
        self.entered.lock().places.clear();
    }
}
