//! Writing records that lie by themselves: the index first, see [`index`](crate::index).

use std::collections::BTreeMap;
use std::time::Duration;

use pstate_core::{Change, Expect, Outcome, Space, Write};
use redis::Value;

use crate::answer::{bytes, integer, items, only};
use crate::error::{Effect, Failure};
use crate::script::{self, Form};
use crate::servers::Unit;
use crate::store::Store;
use crate::writer::{Done, change, expectation, outcome};

/// How often a write that came too late begins again.
const ATTEMPTS: usize = 3;

/// How far a write has come.
#[derive(Debug)]
enum Stage {
    Done(Done),
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

/// Ids to add to the index of a type: each with its write's number, and whether in any case.
pub(crate) type Additions<'w> = BTreeMap<&'w str, Vec<(usize, bool, &'w str)>>;

impl Store {
    pub(crate) async fn write_by_key(&self, space: &Space, writes: &[&Write]) -> Vec<Done> {
        let mut stages = self.attempt(space, writes).await;
        for _ in 0..ATTEMPTS {
            self.index_new(space, writes, &mut stages).await;
            if !stages.iter().any(|stage| matches!(stage, Stage::Indexed(_))) {
                break;
            }
            self.write_indexed(space, writes, &mut stages).await;
        }
        let done = |stage| match stage {
            Stage::Done(done) => done,
            Stage::New | Stage::Indexed(_) => Err(Failure::unavailable(
                "the servers' clocks differ too much, or this program was stopped again and again \
                 while it wrote"
                    .to_owned(),
            )),
        };
        stages.into_iter().map(done).collect()
    }

    /// What can be done at once is: deletes, and puts where a record is. Beside that, keys that the index
    /// may lack are added to it.
    async fn attempt(&self, space: &Space, writes: &[&Write]) -> Vec<Stage> {
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
        let unit = |n: usize, form: Form| self.first_unit(space, writes[n], form);
        let (indexed, answers) = futures_util::future::join(
            self.add(space, &additions),
            script::send(&self.servers, Effect::Write, attempted.len(), |at, form| {
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
            // Otherwise there was nothing to overwrite.
            if let Some(done) = became(writes[n], answer) {
                stages[n] = Stage::Done(done);
            }
        }
        stages
    }

    /// What a write tries first: whatever needs no new entry in the index.
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
        call.arg(name).arg(expectation(write.expect)).arg(until).arg(change(&write.change));
        Unit::new(name, vec![call])
    }

    /// Makes sure that the index has the keys of all writes that are still to be done.
    async fn index_new(&self, space: &Space, writes: &[&Write], stages: &mut [Stage]) {
        let mut additions = Additions::new();
        for (n, write) in writes.iter().enumerate() {
            if matches!(stages[n], Stage::New) {
                let ids = additions.entry(write.key.entity_type()).or_default();
                ids.push((n, true, write.key.id()));
            }
        }
        for (n, until) in self.add(space, &additions).await {
            stages[n] = match until {
                Ok(Some(until)) => Stage::Indexed(until),
                Ok(None) => Stage::New,
                Err(failure) => Stage::failed(failure),
            };
        }
    }

    /// Adds to indexes, and enters their types where they are new. Gives until when each key is certain
    /// to be there; `None` if it was there already.
    pub(crate) async fn add(
        &self,
        space: &Space,
        additions: &Additions<'_>,
    ) -> Vec<(usize, Result<Option<u64>, Failure>)> {
        if additions.is_empty() {
            return Vec::new();
        }
        let lists: Vec<_> = additions.iter().collect();
        let grace = milliseconds(self.config.index_grace);
        let unit = |at: usize, form: Form| {
            let (entity_type, ids) = lists[at];
            let index = self.layout.index(space, entity_type);
            let mut call = self.scripts.add.call(form, 2);
            call.arg(&index).arg(self.layout.added(space, entity_type)).arg(grace);
            for (_, in_any_case, id) in ids {
                call.arg(format!("{}{id}", if *in_any_case { 'f' } else { 'm' }));
            }
            Unit::new(&index, vec![call])
        };
        // What an index has too much does no harm, so nothing depends on what became of it.
        let known = self.enter_missing(space, additions.keys().copied()).await;
        let answers = script::send(&self.servers, Effect::Write, lists.len(), unit).await;
        let mut all = Vec::new();
        for ((entity_type, ids), answer) in lists.into_iter().zip(answers) {
            let mut added = known.clone().and_then(|()| read_added(answer, ids.len(), grace));
            // The first of its type, although the type may be known: somebody has emptied the server.
            if let Ok((0, _)) = &added
                && let Err(failure) = self.enter(space, &[entity_type]).await
            {
                added = Err(failure);
            }
            for (at, (n, _, _)) in ids.iter().enumerate() {
                let until = added.as_ref().map(|(_, until)| until[at]).map_err(Clone::clone);
                all.push((*n, until));
            }
        }
        all
    }

    async fn write_indexed(&self, space: &Space, writes: &[&Write], stages: &mut [Stage]) {
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
            self.one(&self.layout.record(space, &writes[n].key), writes[n], until, form)
        };
        let answers = script::send(&self.servers, Effect::Write, indexed.len(), unit).await;
        for ((n, _), answer) in indexed.into_iter().zip(answers) {
            stages[n] = became(writes[n], answer).map_or(Stage::New, Stage::Done);
        }
    }
}

/// What the answer says has become of a write; `None` if there was no record, and a new one must not
/// be written yet, or not any more.
fn became(write: &Write, answer: Result<Vec<Value>, Failure>) -> Option<Done> {
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
            _ => Some(Err(Failure::cut_short("the script"))),
        },
    }
}

/// How many ids there were before, and until when each is certain to be there.
fn read_added(
    answer: Result<Vec<Value>, Failure>,
    count: usize,
    grace: u64,
) -> Result<(i64, Vec<Option<u64>>), Failure> {
    let answer = answer.map_err(Failure::without_effect)?;
    let numbers: Option<Vec<i64>> = only(answer)
        .and_then(items)
        .ok()
        .and_then(|items| items.iter().map(|item| integer(item).ok()).collect());
    match numbers.as_deref() {
        Some([now, before, added @ ..]) if added.len() == count => {
            let until = u64::try_from(*now).unwrap_or_default() + grace / 2;
            Ok((*before, added.iter().map(|&added| (added == 1).then_some(until)).collect()))
        }
        _ => Err(Failure::cut_short("the script").without_effect()),
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
