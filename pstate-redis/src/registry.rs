//! Which spaces there are, and which types of records in them.

use std::collections::HashSet;

use parking_lot::Mutex;
use pstate_core::Space;

use crate::config::Placement;
use crate::error::{Effect, Failure};
use crate::servers::Unit;
use crate::store::Store;

/// The places that this adapter has entered in the lists of spaces and types.
///
/// The lists are never shorter than what is stored: a place is entered before the first record goes
/// into it. They may be longer; whoever lists spaces looks whether they hold anything. Nothing is taken
/// out of them.
///
/// Somebody may empty the server meanwhile. So a write that is the first of its kind in the index,
/// although its place is known, enters it again before it is acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entered: Mutex<Entered>,
}

#[derive(Debug, Default)]
struct Entered {
    places: HashSet<(Space, String)>,
    /// How often the primaries had changed when they were entered: a replica that has taken over may lack some.
    changes: u64,
}

impl Registry {
    fn knows(&self, space: &Space, entity_type: &str, changes: u64) -> bool {
        // The tuple is owned, and so is what is looked for; there are few writes for each of these.
        let entered = self.entered.lock();
        entered.changes == changes
            && entered.places.contains(&(space.clone(), entity_type.to_owned()))
    }

    /// Forgets what was entered: it may be lost.
    pub(crate) fn clear(&self) {
        self.entered.lock().places.clear();
    }
}

impl Store {
    /// Enters the types that are not known to be there.
    pub(crate) async fn enter_missing<'a>(
        &self,
        space: &Space,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Failure> {
        let changes = self.servers.changes();
        let known = |entity_type: &&str| !self.registry.knows(space, entity_type, changes);
        let missing: Vec<&str> = types.into_iter().filter(known).collect();
        if missing.is_empty() { Ok(()) } else { self.enter(space, &missing).await }
    }

    /// Enters a space and types of records in it.
    pub(crate) async fn enter(&self, space: &Space, types: &[&str]) -> Result<(), Failure> {
        // Before it is entered: what changes meanwhile counts.
        let changes = self.servers.changes();
        let name = self.layout.spaces();
        let mut command = redis::cmd("SADD");
        command.arg(&name).arg(space.as_str());
        let mut units = vec![Unit::new(&name, vec![command])];
        if self.layout.placement == Placement::PerKey {
            let name = self.layout.types(space);
            let mut command = redis::cmd("SADD");
            command.arg(&name).arg(types);
            units.push(Unit::new(&name, vec![command]));
        }
        for answer in self.servers.send(units, Effect::Write).await {
            answer.map_err(Failure::without_effect)?;
        }
        let entered = types.iter().map(|&entity_type| (space.clone(), entity_type.to_owned()));
        let mut known = self.registry.entered.lock();
        if known.changes != changes {
            *known = Entered { places: HashSet::new(), changes };
        }
        known.places.extend(entered);
        Ok(())
    }
}
