//! A unit on its way through a Cluster.

use redis::Value;

use super::unit::Unit;
use crate::error::{Failure, Redirect};

/// A unit that has no answer yet.
pub(super) struct Pending {
    /// Its place among the units of the call.
    pub(super) place: usize,
    pub(super) unit: Unit,
    pub(super) redirect: Option<Redirect>,
    pub(super) failure: Option<Failure>,
    /// A replica has failed it.
    pub(super) primary_only: bool,
}

impl Pending {
    pub(super) fn new(place: usize, unit: Unit) -> Self {
        Self { place, unit, redirect: None, failure: None, primary_only: false }
    }

    /// The commands to send. To a server that takes the slot over, each with `ASKING`, which holds
    /// for one command or one transaction.
    pub(super) fn to_send(&self) -> Unit {
        let mut unit = self.unit.clone();
        if self.is_asking() {
            let asking = || redis::cmd("ASKING");
            if self.is_transaction() {
                unit.commands.insert(0, asking());
            } else {
                unit.commands =
                    unit.commands.into_iter().flat_map(|command| [asking(), command]).collect();
            }
        }
        unit
    }

    /// The answers to the unit's own commands.
    pub(super) fn received(&self, mut values: Vec<Value>) -> Vec<Value> {
        if self.is_asking() {
            if self.is_transaction() {
                values.remove(0);
            } else {
                values = values.into_iter().skip(1).step_by(2).collect();
            }
        }
        values
    }

    fn is_asking(&self) -> bool {
        matches!(self.redirect, Some(Redirect::Ask(..)))
    }

    fn is_transaction(&self) -> bool {
        let first = self.unit.commands.first().and_then(|command| command.args_iter().next());
        matches!(first, Some(redis::Arg::Simple(name)) if name == b"MULTI")
    }
}
