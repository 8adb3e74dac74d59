//! Writing records that are placed with their space.
//!
//! Index and records change in one step, so the index is exact.

use std::sync::Arc;

use futures_util::future::join;
use pstate_core::{BatchMode, Change, Error, Expect, Outcome, Result, Space, Write};
use redis::Value;

use super::arguments::{WriteResult, expectation, lane, outcome};
use crate::error::{Effect, Failure, unexpected};
use crate::server::{Form, Unit, bytes, call_one, integer, items, only};
use crate::store::Store;

/// How many bytes of values go in one step, where the batch may be divided.
const BYTES_PER_STEP: usize = 16 * 1024 * 1024;

/// How many records a script compares at once, and how many bytes these have at most. More are not
/// faster.
const READ_AT_ONCE: usize = 64;
const BYTES_READ_AT_ONCE: usize = 1024 * 1024;

impl Store {
    pub(super) async fn write_in_space(
        self: &Arc<Self>,
        space: &Space,
        writes: &[&Write],
        mode: BatchMode,
    ) -> Vec<WriteResult> {
        let failed = |failure: Failure| writes.iter().map(|_| Err(failure.clone())).collect();
        let puts = writes.iter().filter(|write| matches!(write.change, Change::Put(_)));
        let types = puts.map(|write| write.key.entity_type());
        let entered = self.enter_missing(space, types).await;
        if let Err(failure) = entered {
            return failed(failure);
        }
        let portions = match mode {
            BatchMode::Atomic => vec![writes],
            BatchMode::Each => portions(writes),
        };
        let mut done = Vec::with_capacity(writes.len());
        for portion in portions {
            let unconditional = portion.iter().all(|write| write.expect == Expect::Any);
            let puts = portion.iter().any(|write| matches!(write.change, Change::Put(_)));
            // A server whose memory is full refuses all commands in a transaction, also deletes. So
            // deletes alone take the script.
            match portion {
                _ if !(unconditional && puts) => {
                    done.extend(self.conditional(space, portion, mode).await);
                }
                [put] => done.extend(self.put(space, put).await),
                _ => done.extend(self.transaction(space, portion).await),
            }
        }
        done
    }

    async fn conditional(
        &self,
        space: &Space,
        writes: &[&Write],
        mode: BatchMode,
    ) -> Vec<WriteResult> {
        let mut indexes: Vec<&str> = writes.iter().map(|write| write.key.entity_type()).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let types = self.layout.types(space);
        let at_once = self.read_at_once(writes);
        let unit = |form: Form| {
            let mut call = self.scripts.write.call(form, 1 + writes.len() + indexes.len());
            call.arg(&types);
            let mut records = self.layout.records(space);
            for write in writes {
                call.arg(records.name(&write.key));
            }
            for entity_type in &indexes {
                call.arg(self.layout.index(space, entity_type));
            }
            call.arg(if mode == BatchMode::Atomic { "a" } else { "e" });
            call.arg(writes.len()).arg(at_once).arg(&indexes);
            for write in writes {
                let index = indexes.binary_search(&write.key.entity_type()).unwrap_or_default();
                let index = isize::try_from(1 + index).unwrap_or_default();
                call.arg(expectation(write.expect));
                match &write.change {
                    Change::Put(value) => call.arg(index).arg(write.key.id()).arg(&value[..]),
                    Change::Delete => call.arg(-index).arg(write.key.id()).arg(""),
                };
            }
            Unit::new(&types, vec![call]).on(lane(writes))
        };
        // The revisions are computed while the server works.
        let outcomes = async { writes.iter().map(|write| outcome(write)).collect() };
        let (answers, outcomes): (_, Vec<Outcome>) =
            join(call_one(&self.servers, Effect::Write, unit), outcomes).await;
        let read = |answers| {
            let mut answer = items(only(answers)?)?.into_iter();
            let new_types = integer(&answer.next().ok_or_else(|| unexpected("list"))?)?;
            Ok::<_, Error>((new_types, answer.map(held).collect::<Result<Vec<Held>>>()?))
        };
        let failed = |failure: &Failure| writes.iter().map(|_| Err(failure.clone())).collect();
        let (new_types, held) = match answers.map(read) {
            Ok(Ok((new_types, held))) if held.len() == writes.len() => (new_types, held),
            Ok(_) => return failed(&Failure::cut_short("the script")),
            Err(failure) => return failed(&failure),
        };
        if new_types > 0
            && let Err(failure) = self.enter_again(space, writes).await
        {
            return failed(&failure);
        }
        let corrupt = |(write, held): (&&Write, &Held)| match held {
            Held::Other(found) => Some(Failure::corrupt(&write.key, found)),
            Held::Yes | Held::No => None,
        };
        if mode == BatchMode::Atomic
            && let Some(failure) = writes.iter().zip(&held).find_map(corrupt)
        {
            return failed(&failure);
        }
        let aborted = mode == BatchMode::Atomic && held.contains(&Held::No);
        let result = |((write, held), outcome): ((&&Write, Held), Outcome)| {
            Ok(match held {
                Held::Other(found) => return Err(Failure::corrupt(&write.key, &found)),
                Held::No => Outcome::Conflict,
                Held::Yes if aborted => Outcome::Aborted,
                Held::Yes => outcome,
            })
        };
        writes.iter().zip(held).zip(outcomes).map(result).collect()
    }

    /// How many records a script compares at once. It holds them all meanwhile, so where values are
    /// long, or nothing is known of them, it is one.
    fn read_at_once(&self, writes: &[&Write]) -> usize {
        let largest = self.sizes.largest(writes.iter().map(|write| &write.key));
        largest.map_or(1, |largest| (BYTES_READ_AT_ONCE / largest.max(1)).clamp(1, READ_AT_ONCE))
    }
}

/// Whether an expectation held.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Yes,
    No,
    /// Another program has stored something of this type in the record's place.
    Other(String),
}

fn held(answer: Value) -> Result<Held> {
    match answer {
        Value::Int(1) => Ok(Held::Yes),
        Value::Int(_) => Ok(Held::No),
        other => {
            let found = bytes(other)?.ok_or_else(|| unexpected("type"))?;
            Ok(Held::Other(String::from_utf8_lossy(&found).into_owned()))
        }
    }
}

/// Divides writes that stand for themselves, so that no step blocks the server for long.
fn portions<'a, 'w>(mut writes: &'a [&'w Write]) -> Vec<&'a [&'w Write]> {
    let mut portions = Vec::new();
    while !writes.is_empty() {
        let mut bytes = 0;
        let fits = writes.iter().take_while(|write| {
            bytes += write.value_len();
            bytes <= BYTES_PER_STEP
        });
        let (portion, rest) = writes.split_at(fits.count().max(1));
        portions.push(portion);
        writes = rest;
    }
    portions
}
