//! Random sequences of all methods, beside a model that is obviously right.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::strategy::{Just, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest::{collection, prop_oneof};
use pstate_core::{Batch, Change, Durability, Expect, Key, Outcome, Revision, Write};
use tokio::runtime::Handle;

use crate::conformance::case::{Broken, Stop, cases, same};
use crate::conformance::test::{Came, Store, Test, came, key};
use crate::operation::Value;

cases! { "model";
    #[random] sequences: "An adapter is an ordered map from (space, key) to bytes, with compare-and-swap.",
}

/// Keys that stores like to confuse, so that a sequence of a few steps meets them more than once.
const KEYS: [&str; 14] = [
    "a:1",
    "a:10",
    "a:2",
    "a:A",
    "a:a",
    "a:é",
    "a:e\u{301}",
    "a:a ",
    "a:%",
    "a:_",
    "a_b:1",
    "ab:1",
    "axb:1",
    "a:1:1",
];
const SPACES: [&str; 3] = ["a", "ab", "a-b"];
const PREFIXES: [&str; 9] = ["", "a", "a:", "a:1", "a:a", "a_", "a_b:", "b", "a:%"];
const VALUES: [&str; 6] = ["", "{}", "1.0", "{\"a\":1e400}", "null", "é"];

#[derive(Debug, Clone)]
enum Step {
    Read { space: usize, keys: Vec<usize> },
    Write { space: usize, atomic: bool, writes: Vec<(usize, Expected, Option<usize>)> },
    Page { space: usize, prefix: usize, after: Option<usize>, limit: usize },
    Scan { space: usize, prefix: usize, limit: usize },
    Spaces,
    Flush,
    Reopen,
}

/// What a write expects, as far as it can be said before the sequence is run.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Any,
    Absent,
    /// The revision that the record has by then; of an absent one, what it had last.
    Current,
    /// A revision that the key had before.
    Earlier,
    /// A revision of another key.
    Foreign,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most steps meet in the same few places.
    let space = || prop_oneof![3 => Just(0), 1 => 0..SPACES.len()];
    let key = || prop_oneof![2 => 0..3_usize, 1 => 0..KEYS.len()];
    let expected = prop_oneof![
        3 => Just(Expected::Any),
        2 => Just(Expected::Absent),
        3 => Just(Expected::Current),
        1 => Just(Expected::Earlier),
        1 => Just(Expected::Foreign),
    ];
    let change = proptest::option::weighted(0.7, 0..VALUES.len());
    let writes = collection::vec((key(), expected, change), 1..6).prop_map(|mut writes| {
        let mut keys = HashSet::new();
        writes.retain(|(key, ..)| keys.insert(*key));
        writes
    });
    let step = prop_oneof![
        8 => (space(), proptest::bool::ANY, writes)
            .prop_map(|(space, atomic, writes)| Step::Write { space, atomic, writes }),
        4 => (space(), collection::vec(key(), 1..6)).prop_map(|(space, keys)| Step::Read { space, keys }),
        2 => (space(), 0..PREFIXES.len(), proptest::option::of(key()), 1_usize..6)
            .prop_map(|(space, prefix, after, limit)| Step::Page { space, prefix, after, limit }),
        2 => (space(), 0..PREFIXES.len(), 1_usize..6)
            .prop_map(|(space, prefix, limit)| Step::Scan { space, prefix, limit }),
        1 => Just(Step::Spaces),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ];
    collection::vec(step, 1..50)
}

async fn sequences(test: &Test) -> Result<(), Stop> {
    // Proptest calls back without being asynchronous itself.
    tokio::task::block_in_place(|| {
        for seed in test.rounds(48) {
            sequence(test, seed)?;
        }
        Ok(())
    })
}

fn sequence(test: &Test, seed: u64) -> Result<(), Stop> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        max_shrink_iters: 2_000,
        max_shrink_time: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let last = RefCell::new(None);
    let result = runner.run(&steps(), |steps| {
        run(test, &steps).map_err(|stop| {
            let reason = format!("{stop:?}");
            *last.borrow_mut() = Some(stop);
            TestCaseError::fail(reason)
        })
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Abort(reason)) => Err(Stop::broken("a sequence to run", reason)),
        Err(TestError::Fail(_, minimal)) => {
            // Once more, so that the log tells of the minimal sequence.
            let stop = run(test, &minimal).err().or_else(|| last.take());
            Err(match stop {
                Some(Stop::Broken(broken)) => {
                    let operations = Some(test.log().lines());
                    Stop::Broken(Broken { seed: Some(seed), operations, ..broken })
                }
                Some(ignored) => ignored,
                None => Stop::broken("the same failure again", "none"),
            })
        }
    }
}

fn run(test: &Test, steps: &[Step]) -> Result<(), Stop> {
    Handle::current().block_on(async {
        test.renew().await?;
        let mut run = Run { test, store: test.open().await?, model: Model::default() };
        for step in steps {
            run.step(step).await?;
        }
        for space in 0..SPACES.len() {
            run.step(&Step::Scan { space, prefix: 0, limit: 5 }).await?;
        }
        run.store.close().await
    })
}

/// What an adapter holds, said in the plainest way.
#[derive(Default)]
struct Model {
    spaces: BTreeMap<&'static str, BTreeMap<Key, (Value, Revision)>>,
    /// All revisions that were given, by key, with the value they were given for.
    given: HashMap<(&'static str, Key), Vec<(Revision, Value)>>,
}

struct Run<'a> {
    test: &'a Test,
    store: Store,
    model: Model,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Read { space, keys } => {
                let keys: Vec<_> = keys.iter().map(|&n| key(KEYS[n])).collect();
                let keys = &keys[..self.store.at_most(keys.len())];
                let records = self.store.space(SPACES[*space]).records(keys).await?;
                let read: Vec<_> = records
                    .into_iter()
                    .map(|record| record.map(|record| (Value(record.bytes), record.revision)))
                    .collect();
                let expected: Vec<_> =
                    keys.iter().map(|key| self.model.get(SPACES[*space], key).cloned()).collect();
                same("the records", &expected, &read)
            }
            Step::Write { space, atomic, writes } => {
                self.write(SPACES[*space], *atomic, writes).await
            }
            Step::Page { space, prefix, after, limit } => {
                let after = after.map(|n| key(KEYS[n]));
                let store = self.store.space(SPACES[*space]);
                let page = store.page(PREFIXES[*prefix], after.as_ref(), *limit).await?;
                let all = self.model.scan(SPACES[*space], PREFIXES[*prefix], after.as_ref());
                let found: Vec<_> = page
                    .records
                    .into_iter()
                    .map(|(key, record)| (key, (Value(record.bytes), record.revision)))
                    .collect();
                same(
                    "the first of the records",
                    &all[..found.len().min(all.len())].to_vec(),
                    &found,
                )?;
                // What the page left out comes after its `next`.
                let rest = all.get(found.len()).map(|(key, _)| key);
                match (&page.next, rest) {
                    (None, Some(rest)) => Err(Stop::broken(
                        format_args!("{rest} on this page or the next"),
                        "the end",
                    )),
                    (Some(next), Some(rest)) if next >= rest => Err(Stop::broken(
                        format_args!("a next page that begins before {rest}"),
                        format_args!("one after {next}"),
                    )),
                    _ => Ok(()),
                }
            }
            Step::Scan { space, prefix, limit } => {
                let found =
                    self.store.space(SPACES[*space]).scan(PREFIXES[*prefix], *limit).await?;
                let found: Vec<_> = found
                    .into_iter()
                    .map(|(key, record)| (key, (Value(record.bytes), record.revision)))
                    .collect();
                let expected = self.model.scan(SPACES[*space], PREFIXES[*prefix], None);
                same("the records of the scan", &expected, &found)
            }
            Step::Spaces => {
                let spaces = self.store.adapter.spaces().await?;
                let spaces: Vec<_> = spaces.iter().map(|space| space.as_str().to_owned()).collect();
                same("the spaces", &self.model.spaces(), &spaces)
            }
            Step::Flush => Ok(self.store.adapter.flush().await?),
            Step::Reopen => {
                if self.store.capabilities().durability == Durability::None {
                    return Ok(());
                }
                self.store.clone().close().await?;
                self.store = self.test.open().await?;
                Ok(())
            }
        }
    }

    async fn write(
        &mut self,
        space: &'static str,
        atomic: bool,
        writes: &[(usize, Expected, Option<usize>)],
    ) -> Result<(), Stop> {
        let writes = &writes[..self.store.at_most(writes.len())];
        let atomic = atomic && (writes.len() == 1 || self.store.has_atomic_batches());
        let writes: Vec<_> = writes
            .iter()
            .map(|&(n, expected, value)| {
                let key = key(KEYS[n]);
                let expect = self.model.expect(space, &key, expected);
                match value {
                    Some(value) => Write::put(key, VALUES[value].as_bytes()),
                    None => Write::delete(key),
                }
                .expecting(expect)
            })
            .collect();
        let batch = if atomic { Batch::atomic(writes) } else { Batch::each(writes) };
        let outcomes = self.store.space(space).write(&batch).await?;
        same("the outcomes", &self.model.outcomes(space, &batch, atomic), &came(&outcomes))?;
        for (write, outcome) in batch.writes.iter().zip(outcomes) {
            self.model.apply(space, write, &outcome)?;
        }
        Ok(())
    }
}

impl Model {
    fn get(&self, space: &str, key: &Key) -> Option<&(Value, Revision)> {
        self.spaces.get(space)?.get(key)
    }

    fn scan(
        &self,
        space: &str,
        prefix: &str,
        after: Option<&Key>,
    ) -> Vec<(Key, (Value, Revision))> {
        let records = self.spaces.get(space).into_iter().flatten();
        records
            .filter(|(key, _)| {
                key.as_str().starts_with(prefix) && after.is_none_or(|after| *key > after)
            })
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect()
    }

    fn spaces(&self) -> Vec<String> {
        let spaces = self.spaces.iter().filter(|(_, records)| !records.is_empty());
        spaces.map(|(space, _)| (*space).to_owned()).collect()
    }

    fn expect(&self, space: &'static str, key: &Key, expected: Expected) -> Expect {
        let never = Expect::Revision(Revision::from_number(u128::MAX - 11));
        let given = self.given.get(&(space, key.clone()));
        let given = given.map(Vec::as_slice).unwrap_or_default();
        match expected {
            Expected::Any => Expect::Any,
            Expected::Absent => Expect::Absent,
            Expected::Current => given.last().map_or(never, |(last, _)| Expect::Revision(*last)),
            Expected::Earlier => given.first().map_or(never, |(first, _)| Expect::Revision(*first)),
            Expected::Foreign => {
                let mut others: Vec<_> =
                    self.given.iter().filter(|((_, other), _)| other != key).collect();
                others.sort_by_key(|(place, _)| *place);
                let last = others.last().and_then(|(_, given)| given.last());
                last.map_or(never, |(revision, _)| Expect::Revision(*revision))
            }
        }
    }

    /// Whether an expectation holds; a revision stands for the value that it was given for.
    fn holds(&self, space: &str, write: &Write) -> bool {
        let stored = self.get(space, &write.key);
        match write.expect {
            Expect::Any => true,
            Expect::Absent => stored.is_none(),
            Expect::Revision(revision) => stored.is_some_and(|(_, stored)| *stored == revision),
        }
    }

    fn outcomes(&self, space: &str, batch: &Batch, atomic: bool) -> Vec<Came> {
        let holds: Vec<_> = batch.writes.iter().map(|write| self.holds(space, write)).collect();
        let all = holds.iter().all(|&holds| holds);
        let outcome = |(write, &holds): (&Write, &bool)| match (&write.change, holds) {
            (_, false) => Came::Conflict,
            (_, true) if atomic && !all => Came::Aborted,
            (Change::Put(_), true) => Came::Stored,
            (Change::Delete, true) => Came::Deleted,
        };
        batch.writes.iter().zip(&holds).map(outcome).collect()
    }

    fn apply(&mut self, space: &'static str, write: &Write, outcome: &Outcome) -> Result<(), Stop> {
        match (&write.change, outcome) {
            (Change::Put(bytes), Outcome::Stored(revision)) => {
                let value = Value(bytes.clone());
                let given = self.given.entry((space, write.key.clone())).or_default();
                let earlier = given.iter().find(|(other, _)| other == revision);
                if let Some((_, earlier)) = earlier.filter(|(_, earlier)| *earlier != value) {
                    return Err(Stop::broken(
                        format_args!("another revision for {value:?} than {earlier:?} had"),
                        format_args!("{revision:?}"),
                    ));
                }
                given.push((*revision, value.clone()));
                let records = self.spaces.entry(space).or_default();
                records.insert(write.key.clone(), (value, *revision));
            }
            (Change::Delete, Outcome::Deleted) => {
                self.spaces.entry(space).or_default().remove(&write.key);
            }
            _ => {}
        }
        Ok(())
    }
}
