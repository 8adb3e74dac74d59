//! The lists of spaces, and of types of records in them.

use std::collections::HashSet;

use parking_lot::Mutex;
use pstate_core::Space;

use crate::config::Placement;
use crate::error::{Effect, Failure};
use crate::layout::Layout;
use crate::server::{Servers, Unit};

/// The places that this adapter has entered in the lists of spaces and types.
///
/// The lists are never shorter than what is stored: a place is entered before the first record goes
/// into it. They may be longer, so listing spaces checks whether they hold a record. Nothing
/// removes entries.
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
    /// How often the primaries had changed when these were entered: a replica that takes over may
    /// lack some.
    changes: u64,
}

impl Registry {
    fn knows(&self, space: &Space, entity_type: &str, changes: u64) -> bool {
        // The set owns its tuples, so the look-up needs an owned one. Writes cost far more than
        // that.
        let entered = self.entered.lock();
        entered.changes == changes
            && entered.places.contains(&(space.clone(), entity_type.to_owned()))
    }

    /// Forgets what was entered, because the servers may have lost it.
    pub(crate) fn clear(&self) {
        self.entered.lock().places.clear();
    }

    /// Enters the types that this adapter has not entered yet.
    pub(crate) async fn enter_missing<'a>(
        &self,
        servers: &Servers,
        layout: &Layout,
        space: &Space,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Failure> {
        let changes = servers.changes();
        let is_missing = |entity_type: &&str| !self.knows(space, entity_type, changes);
        let missing: Vec<&str> = types.into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.enter(servers, layout, space, &missing).await
    }

    /// Enters a space and types of records in it.
    pub(crate) async fn enter(
        &self,
        servers: &Servers,
        layout: &Layout,
        space: &Space,
        types: &[&str],
    ) -> Result<(), Failure> {
        // Counted before entering, so that a change meanwhile counts.
        let changes = servers.changes();
        let name = layout.spaces();
        let mut command = redis::cmd("SADD");
        command.arg(&name).arg(space.as_str());
        let mut units = vec![Unit::new(&name, vec![command])];
        if layout.placement == Placement::PerKey {
            let name = layout.types(space);
            let mut command = redis::cmd("SADD");
            command.arg(&name).arg(types);
            units.push(Unit::new(&name, vec![command]));
        }
        for answer in servers.send(units, Effect::Write).await {
            answer.map_err(Failure::without_effect)?;
        }
        let entered = types.iter().map(|&entity_type| (space.clone(), entity_type.to_owned()));
        let mut known = self.entered.lock();
        if known.changes != changes {
            *known = Entered { places: HashSet::new(), changes };
        }
        known.places.extend(entered);
        Ok(())
    }
}
