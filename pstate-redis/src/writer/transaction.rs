//! Writing records without expectations, where they are placed with their space.

use std::collections::BTreeMap;

use futures_util::future::join;
use pstate_core::{Change, Space, Write};
use redis::{Cmd, Value};

use super::arguments::{WriteResult, lane, outcome};
use crate::error::{Effect, Failure, unexpected};
use crate::server::{Answers, Unit, integer, items, only};
use crate::store::Store;

impl Store {
    /// Writes without expectations, at least one of them a put. Plain commands cost the server less
    /// than half of what a script costs.
    pub(super) async fn transaction(&self, space: &Space, writes: &[&Write]) -> Vec<WriteResult> {
        let unit = self.transaction_unit(space, writes);
        // The revisions are computed while the server works.
        let done = async { writes.iter().map(|write| Ok(outcome(write))).collect() };
        let (answers, done) = join(self.servers.send_one(unit, Effect::Write), done).await;
        match self.finish_transaction(space, writes, answers).await {
            Ok(()) => done,
            Err(failure) => writes.iter().map(|_| Err(failure.clone())).collect(),
        }
    }

    /// What is sent for a transaction with at least one put.
    pub(super) fn transaction_unit(&self, space: &Space, writes: &[&Write]) -> Unit {
        let name = self.layout.types(space);
        Unit::new(&name, self.commands(space, writes)).on(lane(writes))
    }

    /// Reads the answers to a transaction. It is done when this succeeds.
    pub(super) async fn finish_transaction(
        &self,
        space: &Space,
        writes: &[&Write],
        answers: Answers,
    ) -> Result<(), Failure> {
        // The last command of the transaction says how many types are new.
        let new_types = |answers: Vec<Value>| match items(only(answers)?)?.last() {
            Some(last) => integer(last),
            None => Err(unexpected("transaction")),
        };
        match new_types(answers?) {
            Ok(0) => Ok(()),
            // Done, but not acknowledged before scans find it.
            Ok(_) => self.enter_again(space, writes).await,
            Err(_) => Err(Failure::cut_short("the transaction")),
        }
    }

    /// The commands of a transaction with at least one put.
    fn commands(&self, space: &Space, writes: &[&Write]) -> Vec<Cmd> {
        let mut puts = redis::cmd("MSET");
        let mut deletes = redis::cmd("DEL");
        let (mut added, mut removed) = (BTreeMap::new(), BTreeMap::new());
        let mut records = self.layout.records(space);
        for write in writes {
            let record = records.name(&write.key);
            let ids = match &write.change {
                Change::Put(bytes) => {
                    puts.arg(record).arg(&bytes[..]);
                    &mut added
                }
                Change::Delete => {
                    deletes.arg(record);
                    &mut removed
                }
            };
            let ids: &mut Vec<&str> = ids.entry(write.key.entity_type()).or_default();
            ids.push(write.key.id());
        }
        let mut commands = vec![redis::cmd("MULTI")];
        if !removed.is_empty() {
            commands.push(deletes);
        }
        for (entity_type, ids) in removed {
            let mut command = redis::cmd("ZREM");
            command.arg(self.layout.index(space, entity_type)).arg(ids);
            commands.push(command);
        }
        commands.push(puts);
        let mut types = redis::cmd("SADD");
        types.arg(self.layout.types(space));
        for (entity_type, ids) in added {
            let mut command = redis::cmd("ZADD");
            command.arg(self.layout.index(space, entity_type));
            for id in ids {
                command.arg(0).arg(id);
            }
            commands.push(command);
            types.arg(entity_type);
        }
        commands.extend([types, redis::cmd("EXEC")]);
        commands
    }

    /// Enters types again that were new to the server, although they may have been entered.
    pub(super) async fn enter_again(
        &self,
        space: &Space,
        writes: &[&Write],
    ) -> Result<(), Failure> {
        let mut types: Vec<&str> = writes.iter().map(|write| write.key.entity_type()).collect();
        types.sort_unstable();
        types.dedup();
        let entered = self.enter(space, &types).await;
        // The records are written.
        entered.map_err(Failure::with_effect)
    }
}
