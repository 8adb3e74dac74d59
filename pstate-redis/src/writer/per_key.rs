//! Writing records that are placed by key: the index first, see [`index`](crate::index).

use pstate_core::{Change, Expect, Outcome, Space, Write};
use redis::Value;

use super::arguments::{WriteResult, expectation, outcome};
use crate::error::{Effect, Failure};
use crate::index::Additions;
use crate::server::{Form, Lane, Unit, bytes, call_all, only};
use crate::store::Store;

/// How often a write that comes too late starts again.
const ATTEMPTS: usize = 3;

/// How far a write has come.
#[derive(Debug)]
enum Stage {
    Done(WriteResult),
    /// There is no record yet, and it is not certain that the index has its key.
    New,
    /// The index has its key until then, in milliseconds of the servers' clocks.
    Indexed(u64),
}

impl Stage {
    fn failed(failure: Failure) -> Self {
        Self::Done(Err(failure))
    }
}

impl Store {
    pub(super) async fn write_by_key(&self, space: &Space, writes: &[&Write]) -> Vec<WriteResult> {
        let lane = Lane::of_write(writes.iter().map(|write| write.value_len()).sum());
        let mut stages = self.attempt(space, writes, lane).await;
        for _ in 0..ATTEMPTS {
            self.index_new(space, writes, &mut stages).await;
            if !stages.iter().any(|stage| matches!(stage, Stage::Indexed(_))) {
                break;
            }
            self.write_indexed(space, writes, lane, &mut stages).await;
        }
        let done = |stage| {
            match stage {
            Stage::Done(done) => done,
            Stage::New | Stage::Indexed(_) => Err(Failure::unavailable(
                "the servers' clocks differ too much, or the system stopped this program again and \
                 again while it wrote"
                    .to_owned(),
            )),
        }
        };
        stages.into_iter().map(done).collect()
    }

    /// Does what needs no new entry in the index: deletes, and puts that overwrite. Meanwhile, adds
    /// the keys that the index may lack.
    async fn attempt(&self, space: &Space, writes: &[&Write], lane: Lane) -> Vec<Stage> {
        let mut additions = Additions::new();
        let mut attempted = Vec::new();
        for (n, write) in writes.iter().enumerate() {
            let put = matches!(write.change, Change::Put(_));
            if put && !matches!(write.expect, Expect::Revision(_)) {
                let in_any_case = write.expect == Expect::Absent;
                let ids = additions.entry(write.key.entity_type()).or_default();
                ids.push((n, in_any_case, write.key.id()));
            }
            if !(put && write.expect == Expect::Absent) {
                attempted.push(n);
            }
        }
        let unit = |n: usize, form: Form| self.first_unit(space, writes[n], form).on(lane);
        let (indexed, answers) = futures_util::future::join(
            self.add_to_index(space, &additions),
            call_all(&self.servers, Effect::Write, attempted.len(), |at, form| {
                unit(attempted[at], form)
            }),
        )
        .await;
        let mut stages: Vec<Stage> = writes.iter().map(|_| Stage::New).collect();
        for (n, until) in indexed {
            stages[n] = match until {
                Ok(Some(until)) => Stage::Indexed(until),
                Ok(None) => Stage::New,
                Err(failure) => Stage::failed(failure),
            };
        }
        for (n, answer) in attempted.into_iter().zip(answers) {
            // Without a result there was nothing to overwrite.
            if let Some(done) = result(writes[n], answer) {
                stages[n] = Stage::Done(done);
            }
        }
        stages
    }

    /// The first attempt of a write, which needs no new entry in the index.
    fn first_unit(&self, space: &Space, write: &Write, form: Form) -> Unit {
        let name = self.layout.record(space, &write.key);
        let command = match (&write.change, write.expect) {
            (Change::Put(value), Expect::Any) => {
                let mut command = redis::cmd("SET");
                command.arg(&name).arg(&value[..]).arg("XX");
                command
            }
            (Change::Delete, Expect::Any) => {
                let mut command = redis::cmd("DEL");
                command.arg(&name);
                command
            }
            _ => return self.one(&name, write, 0, form),
        };
        Unit::new(&name, vec![command])
    }

    fn one(&self, name: &str, write: &Write, until: u64, form: Form) -> Unit {
        let mut call = self.scripts.write_one.call(form, 1);
        call.arg(name).arg(expectation(write.expect)).arg(until);
        if let Change::Put(value) = &write.change {
            call.arg(&value[..]);
        }
        Unit::new(name, vec![call])
    }

    /// Makes sure that the index has the keys of all writes that are not done yet.
    async fn index_new(&self, space: &Space, writes: &[&Write], stages: &mut [Stage]) {
        let mut additions = Additions::new();
        for (n, write) in writes.iter().enumerate() {
            if matches!(stages[n], Stage::New) {
                let ids = additions.entry(write.key.entity_type()).or_default();
                ids.push((n, true, write.key.id()));
            }
        }
        for (n, until) in self.add_to_index(space, &additions).await {
            stages[n] = match until {
                Ok(Some(until)) => Stage::Indexed(until),
                Ok(None) => Stage::New,
                Err(failure) => Stage::failed(failure),
            };
        }
    }

    /// Writes the records whose keys are in the index. Then makes sure that these still are: an
    /// index that was lost in between may have been rebuilt from the records that there were.
    async fn write_indexed(
        &self,
        space: &Space,
        writes: &[&Write],
        lane: Lane,
        stages: &mut [Stage],
    ) {
        let indexed: Vec<(usize, u64)> = stages
            .iter()
            .enumerate()
            .filter_map(|(n, stage)| match stage {
                Stage::Indexed(until) => Some((n, *until)),
                _ => None,
            })
            .collect();
        let unit = |at: usize, form: Form| {
            let (n, until) = indexed[at];
            self.one(&self.layout.record(space, &writes[n].key), writes[n], until, form).on(lane)
        };
        let answers = call_all(&self.servers, Effect::Write, indexed.len(), unit).await;
        let mut additions = Additions::new();
        for ((n, _), answer) in indexed.into_iter().zip(answers) {
            stages[n] = result(writes[n], answer).map_or(Stage::New, Stage::Done);
            if matches!(stages[n], Stage::Done(Ok(Outcome::Stored(_)))) {
                let ids = additions.entry(writes[n].key.entity_type()).or_default();
                ids.push((n, false, writes[n].key.id()));
            }
        }
        for (n, confirmed) in self.add_to_index(space, &additions).await {
            if let Err(failure) = confirmed {
                // The record is stored.
                stages[n] = Stage::failed(failure.with_effect());
            }
        }
    }
}

/// Reads the result of a write. `None` if there was no record, and it is too early or too late to
/// write a new one.
fn result(write: &Write, answer: Result<Vec<Value>, Failure>) -> Option<WriteResult> {
    let answer = match answer.map(only) {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => return Some(Err(Failure::cut_short("the server"))),
        Err(failure) => return Some(Err(failure)),
    };
    match answer {
        Value::Nil => None,
        Value::Okay | Value::Int(_) => Some(Ok(outcome(write))),
        answer => match bytes(answer).ok().flatten().as_deref() {
            Some(b"done") => Some(Ok(outcome(write))),
            Some(b"conflict") => Some(Ok(Outcome::Conflict)),
            Some(b"late") => None,
            Some([b'i', b's', b' ', found @ ..]) => {
                Some(Err(Failure::corrupt(&write.key, &String::from_utf8_lossy(found))))
            }
            _ => Some(Err(Failure::cut_short("the script"))),
        },
    }
}
