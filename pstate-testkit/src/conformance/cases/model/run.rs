use pstate_core::{Batch, Durability, Key, Page, Record, Write};

use super::reference::{Reference, Stored};
use super::step::{KEYS, PREFIXES, SPACES, Step, StepWrite, VALUES};
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::shorthand::key;
use crate::conformance::store::Store;
use crate::recording::Value;

/// Runs the steps of a sequence on an empty store and on the reference model.
pub(super) async fn run(context: &Context, steps: &[Step]) -> CaseResult {
    context.reset().await?;
    let (store, reference) = (context.open().await?, Reference::default());
    let mut run = Run { context, store, reference };
    for step in steps {
        run.step(step).await?;
    }
    for space in SPACES {
        run.scan(space, "", 5).await?;
    }
    run.store.close().await
}

struct Run<'a> {
    context: &'a Context,
    store: Store,
    reference: Reference,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> CaseResult {
        match step {
            Step::Read { space, keys } => self.read(SPACES[*space], keys).await,
            Step::Write { space, atomic, writes } => {
                self.write(SPACES[*space], *atomic, writes).await
            }
            Step::Page { space, prefix, after, limit } => {
                let after = after.map(|n| key(KEYS[n]));
                self.page(SPACES[*space], PREFIXES[*prefix], after.as_ref(), *limit).await
            }
            Step::Scan { space, prefix, limit } => {
                self.scan(SPACES[*space], PREFIXES[*prefix], *limit).await
            }
            Step::Spaces => {
                let spaces = self.store.adapter.spaces().await?;
                let spaces: Vec<_> = spaces.iter().map(|space| space.as_str().to_owned()).collect();
                ensure_eq("the spaces", &self.reference.spaces(), &spaces)
            }
            Step::Flush => Ok(self.store.adapter.flush().await?),
            Step::Reopen => self.reopen().await,
        }
    }

    async fn read(&self, space: &str, keys: &[usize]) -> CaseResult {
        let keys: Vec<_> = keys.iter().map(|&n| key(KEYS[n])).collect();
        let keys = &keys[..self.store.up_to_max_batch(keys.len())];
        let records = self.store.space(space).records(keys).await?;
        let read: Vec<_> = records.into_iter().map(|record| record.map(stored)).collect();
        let expected: Vec<_> =
            keys.iter().map(|key| self.reference.get(space, key).cloned()).collect();
        ensure_eq("the records", &expected, &read)
    }

    async fn write(
        &mut self,
        space: &'static str,
        atomic: bool,
        writes: &[StepWrite],
    ) -> CaseResult {
        let writes = &writes[..self.store.up_to_max_batch(writes.len())];
        let atomic = atomic && (writes.len() == 1 || self.store.has_atomic_batches());
        let writes: Vec<_> = writes
            .iter()
            .map(|&(n, expected, value)| {
                let key = key(KEYS[n]);
                let expect = self.reference.expect(space, &key, expected);
                match value {
                    Some(value) => Write::put(key, VALUES[value].as_bytes()),
                    None => Write::delete(key),
                }
                .expecting(expect)
            })
            .collect();
        let batch = if atomic { Batch::atomic(writes) } else { Batch::each(writes) };
        let outcomes = self.store.space(space).write(&batch).await?;
        let expected = self.reference.outcomes(space, &batch, atomic);
        ensure_eq("the outcomes", &expected, &OutcomeKind::all(&outcomes))?;
        for (write, outcome) in batch.writes.iter().zip(outcomes) {
            self.reference.apply(space, write, &outcome)?;
        }
        Ok(())
    }

    async fn page(
        &self,
        space: &str,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> CaseResult {
        let Page { records, next, .. } = self.store.space(space).page(prefix, after, limit).await?;
        let found = stored_under_keys(records);
        let all = self.reference.scan(space, prefix, after);
        let expected = all[..found.len().min(all.len())].to_vec();
        ensure_eq("the first records", &expected, &found)?;
        // The next page must begin before the first record that this page left out.
        let rest = all.get(found.len()).map(|(key, _)| key);
        match (&next, rest) {
            (None, Some(rest)) => {
                let expected = format_args!("{rest} on this page or the next");
                Err(CaseError::mismatch(expected, "the end"))
            }
            (Some(next), Some(rest)) if next >= rest => {
                let expected = format_args!("a next page that begins before {rest}");
                Err(CaseError::mismatch(expected, format_args!("one after {next}")))
            }
            _ => Ok(()),
        }
    }

    async fn scan(&self, space: &str, prefix: &str, limit: usize) -> CaseResult {
        let found = stored_under_keys(self.store.space(space).scan(prefix, limit).await?);
        let expected = self.reference.scan(space, prefix, None);
        ensure_eq("the records of the scan", &expected, &found)
    }

    async fn reopen(&mut self) -> CaseResult {
        if self.store.capabilities().durability == Durability::None {
            return Ok(());
        }
        self.store.clone().close().await?;
        self.store = self.context.open().await?;
        Ok(())
    }
}

fn stored(record: Record) -> Stored {
    (Value(record.bytes), record.revision)
}

fn stored_under_keys(records: Vec<(Key, Record)>) -> Vec<(Key, Stored)> {
    records.into_iter().map(|(key, record)| (key, stored(record))).collect()
}
