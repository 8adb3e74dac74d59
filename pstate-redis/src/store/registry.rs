//! What this adapter has entered in the lists of spaces and of types.

use std::collections::HashSet;

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
    places: HashSet<(Space, String)>,
    /// How often servers had changed, or connections broke, when these were entered: a replica
    /// that takes over, or a server that was restarted, may lack some.
    changes: u64,
}

impl Registry {
    /// Those of the types that were not entered since the servers have changed last.
    pub(super) fn missing<'a>(
        &self,
        space: &Space,
        types: impl IntoIterator<Item = &'a str>,
        changes: u64,
    ) -> Vec<&'a str> {
        let entered = self.entered.lock();
        // The set owns its tuples, so the look-up needs an owned one. Writes cost far more than
        // that.
        let is_missing = |entity_type: &&str| {
            entered.changes != changes
                || !entered.places.contains(&(space.clone(), (*entity_type).to_owned()))
        };
        types.into_iter().filter(is_missing).collect()
    }

    /// Notes what was entered when the servers had changed this often.
    pub(super) fn note(&self, space: &Space, types: &[&str], changes: u64) {
        let mut known = self.entered.lock();
        if known.changes != changes {
            *known = Entered { places: HashSet::new(), changes };
        }
        let entered = types.iter().map(|&entity_type| (space.clone(), entity_type.to_owned()));
        known.places.extend(entered);
    }

    /// Forgets what was entered, because the servers may have lost it.
    pub(crate) fn clear(&self) {
        self.entered.lock().places.clear();
    }
}
