//! Writing a batch.

use std::sync::Arc;

use pstate_core::{Batch, BatchMode, Error, ErrorKind, Outcome, Result, Space, Write};

use super::arguments::WriteResult;
use crate::config::Placement;
use crate::error::Effect;
use crate::store::Store;

/// Redis closes a connection on which more than 1 GiB waits to be done.
const MAX_BATCH_BYTES: usize = 512 * 1024 * 1024;

impl Store {
    pub(crate) async fn write(
        self: &Arc<Self>,
        space: &Space,
        batch: &Batch,
    ) -> Result<Vec<Outcome>> {
        self.check_open()?;
        batch.check(&self.capabilities)?;
        let writes = &batch.writes;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let _in_flight = self.in_flight.begin(space, writes);
        self.own_writes.note(space, writes);
        self.sizes.note(
            writes
                .iter()
                .filter(|write| write.value_len() > 0)
                .map(|write| (&write.key, write.value_len())),
        );
        if batch.mode == BatchMode::Atomic {
            let bytes = batch.value_bytes();
            if bytes > MAX_BATCH_BYTES {
                let why = format!(
                    "{bytes} bytes in an atomic batch; this store takes at most {MAX_BATCH_BYTES}"
                );
                return Err(Error::new(ErrorKind::InvalidInput, why));
            }
            let all: Vec<&Write> = writes.iter().collect();
            let done = self.write_all(space, &all, BatchMode::Atomic).await;
            return self.finish(space, writes, done);
        }
        let checks: Vec<Result<()>> =
            writes.iter().map(|write| write.check_len(&self.capabilities)).collect();
        let possible = writes.iter().zip(&checks).filter(|(_, check)| check.is_ok());
        let possible: Vec<&Write> = possible.map(|(write, _)| write).collect();
        let mut done = self.write_all(space, &possible, BatchMode::Each).await.into_iter();
        let done = checks.into_iter().filter_map(|check| match check {
            Ok(()) => done.next(),
            Err(error) => Some(Ok(Outcome::Failed(error.in_operation("write").in_space(space)))),
        });
        self.finish(space, writes, done.collect())
    }

    async fn write_all(
        self: &Arc<Self>,
        space: &Space,
        writes: &[&Write],
        mode: BatchMode,
    ) -> Vec<WriteResult> {
        match self.layout.placement {
            Placement::PerSpace => self.write_in_space(space, writes, mode).await,
            Placement::PerKey => self.write_by_key(space, writes).await,
        }
    }

    /// Publishes what has changed, and returns the outcomes.
    fn finish(
        &self,
        space: &Space,
        writes: &[Write],
        done: Vec<WriteResult>,
    ) -> Result<Vec<Outcome>> {
        self.own_writes.note(space, writes);
        let unknown = done.iter().find_map(|done| match done {
            Err(failure) if failure.sent => Some(failure.clone()),
            _ => None,
        });
        let nothing = done.iter().all(Result::is_err);
        let failures = done.iter().filter_map(|done| done.as_ref().err().cloned());
        let failure = unknown.clone().or_else(|| failures.into_iter().next().filter(|_| nothing));
        if let Some(failure) = failure {
            if unknown.is_some() {
                self.hub.publish(space, writes, &[]);
            }
            return Err(failure.into_error(Effect::Write));
        }
        let outcome = |(done, write): (WriteResult, &Write)| {
            done.unwrap_or_else(|failure| {
                let error = failure.into_error(Effect::Write);
                Outcome::Failed(error.in_operation("write").in_space(space).at_key(&write.key))
            })
        };
        let outcomes: Vec<Outcome> = done.into_iter().zip(writes).map(outcome).collect();
        self.hub.publish(space, writes, &outcomes);
        Ok(outcomes)
    }
}
