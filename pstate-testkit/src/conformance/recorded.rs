//! From what was recorded to what the linearizability check understands.

use std::collections::HashMap;
use std::hash::Hash;

use pstate_core::{
    Atomicity, Batch, BatchMode, Change, ErrorKind, Expect, Key, Outcome, Revision, Space, Write,
};

use crate::history::{Action, Alteration, Call, Cell, Expectation, Value};
use crate::operation::{Narrator, Operation, Request, Response};

/// The calls that a log tells of. What spans several keys is one action if the adapter declares so,
/// otherwise one for each key.
pub(crate) fn calls(operations: &[Operation], atomicity: Atomicity) -> Vec<Call> {
    let mut names = Names::default();
    for operation in operations {
        names.learn(operation);
    }
    let mut narrator = Narrator::default();
    let mut calls = Vec::new();
    for operation in operations {
        let label = narrator.tell(operation);
        for (action, known) in actions(operation, atomicity, &mut names) {
            calls.push(Call {
                invoked: operation.invoked,
                returned: operation.returned.filter(|_| known),
                action,
                label: label.clone(),
            });
        }
    }
    calls
}

/// What keys, values and revisions are called in the check.
#[derive(Default)]
struct Names {
    cells: HashMap<(Space, Key), u32>,
    values: HashMap<Vec<u8>, u32>,
    /// Which value a revision was seen with.
    revisions: HashMap<(Cell, Revision), Value>,
}

impl Names {
    fn cell(&mut self, space: &Space, key: &Key) -> Cell {
        number(&mut self.cells, (space.clone(), key.clone()))
    }

    fn value(&mut self, bytes: &[u8]) -> Value {
        number(&mut self.values, bytes.to_vec())
    }

    fn learn(&mut self, operation: &Operation) {
        match (&operation.request, &operation.response) {
            (Request::MultiGet(space, keys), Some(Ok(Response::Records(records)))) => {
                for (key, record) in keys.iter().zip(records) {
                    if let Some(record) = record {
                        self.learn_one(space, key, &record.bytes, record.revision);
                    }
                }
            }
            (Request::Scan(space, _), Some(Ok(Response::Page(page)))) => {
                for (key, record) in &page.records {
                    self.learn_one(space, key, &record.bytes, record.revision);
                }
            }
            (Request::Write(space, batch), Some(Ok(Response::Outcomes(outcomes)))) => {
                for (write, outcome) in batch.writes.iter().zip(outcomes) {
                    if let (Change::Put(bytes), Outcome::Stored(revision)) =
                        (&write.change, outcome)
                    {
                        self.learn_one(space, &write.key, bytes, *revision);
                    }
                }
            }
            _ => {}
        }
    }

    fn learn_one(&mut self, space: &Space, key: &Key, bytes: &[u8], revision: Revision) {
        let (cell, value) = (self.cell(space, key), self.value(bytes));
        self.revisions.insert((cell, revision), value);
    }

    fn expectation(&mut self, cell: Cell, expect: Expect) -> Expectation {
        match expect {
            Expect::Any => Expectation::Any,
            Expect::Absent => Expectation::Absent,
            Expect::Revision(revision) => match self.revisions.get(&(cell, revision)) {
                Some(&value) => Expectation::Is(value),
                None => Expectation::Never,
            },
        }
    }

    fn alteration(&mut self, space: &Space, write: &Write) -> Alteration {
        let cell = self.cell(space, &write.key);
        let becomes = match &write.change {
            Change::Put(bytes) => Some(self.value(bytes)),
            Change::Delete => None,
        };
        Alteration { cell, expectation: self.expectation(cell, write.expect), becomes }
    }
}

fn number<K: Eq + Hash>(numbers: &mut HashMap<K, u32>, name: K) -> u32 {
    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    *numbers.entry(name).or_insert(next)
}

/// What an operation did, and whether it is known that it did.
fn actions(operation: &Operation, atomicity: Atomicity, names: &mut Names) -> Vec<(Action, bool)> {
    match (&operation.request, &operation.response) {
        (Request::MultiGet(space, keys), Some(Ok(Response::Records(records)))) => {
            let seen = keys.iter().zip(records).map(|(key, record)| {
                let cell = names.cell(space, key);
                (cell, record.as_ref().map(|record| names.value(&record.bytes)))
            });
            match atomicity {
                Atomicity::Batch => vec![(Action::Read(seen.collect()), true)],
                Atomicity::Key => seen.map(|seen| (Action::Read(vec![seen]), true)).collect(),
            }
        }
        // A page is no snapshot, but each of its records was there at some time.
        (Request::Scan(space, _), Some(Ok(Response::Page(page)))) => page
            .records
            .iter()
            .map(|(key, record)| {
                let seen = (names.cell(space, key), Some(names.value(&record.bytes)));
                (Action::Read(vec![seen]), true)
            })
            .collect(),
        (Request::Write(space, batch), response) => match response {
            Some(Ok(Response::Outcomes(outcomes))) => done(space, batch, outcomes, names),
            Some(Err(error)) if error.is_retryable() => Vec::new(),
            Some(Err(error)) if !may_have_happened(error.kind()) => Vec::new(),
            _ => unknown(space, batch, names),
        },
        _ => Vec::new(),
    }
}

fn may_have_happened(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Other)
}

fn done(
    space: &Space,
    batch: &Batch,
    outcomes: &[Outcome],
    names: &mut Names,
) -> Vec<(Action, bool)> {
    let mut units = batch.writes.iter().zip(outcomes).map(|(write, outcome)| {
        let alteration = names.alteration(space, write);
        (alteration, outcome)
    });
    match batch.mode {
        BatchMode::Atomic if outcomes.iter().all(Outcome::is_done) => {
            vec![(Action::Change(units.map(|(alteration, _)| alteration).collect()), true)]
        }
        BatchMode::Atomic => {
            let refused = units.map(|(alteration, outcome)| {
                let held = matches!(outcome, Outcome::Aborted);
                (alteration.cell, alteration.expectation, held)
            });
            vec![(Action::Refuse(refused.collect()), true)]
        }
        BatchMode::Each => {
            let mut actions = Vec::new();
            for (alteration, outcome) in units.by_ref() {
                match outcome {
                    Outcome::Stored(_) | Outcome::Deleted => {
                        actions.push((Action::Change(vec![alteration]), true));
                    }
                    Outcome::Conflict => {
                        let refused = (alteration.cell, alteration.expectation, false);
                        actions.push((Action::Refuse(vec![refused]), true));
                    }
                    Outcome::Aborted | Outcome::Failed(_) => {}
                }
            }
            actions
        }
    }
}

fn unknown(space: &Space, batch: &Batch, names: &mut Names) -> Vec<(Action, bool)> {
    let alterations = batch.writes.iter().map(|write| names.alteration(space, write));
    match batch.mode {
        BatchMode::Atomic => vec![(Action::Change(alterations.collect()), false)],
        BatchMode::Each => {
            alterations.map(|alteration| (Action::Change(vec![alteration]), false)).collect()
        }
    }
}
