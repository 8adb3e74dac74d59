use std::collections::HashMap;
use std::hash::Hash;

use pstate_core::{
    Atomicity, Batch, BatchMode, Change, Error, ErrorKind, Expect, Key, Outcome, Revision, Space,
    Write,
};

use super::action::{Action, Alteration, Cell, Expectation, Value};
use super::call::Call;
use super::history::History;
use crate::recording::{Operation, OperationFormatter, OperationLog, Request, Response};

impl History {
    /// The history of a log whose stores began empty. A call that spans several keys is one call of
    /// the history if the adapter declares [`Atomicity::Batch`], otherwise one for each key. A
    /// write that failed with a retryable error changed nothing.
    pub fn recorded(log: &OperationLog, atomicity: Atomicity) -> Self {
        let operations = log.operations();
        let mut numbering = Numbering::default();
        for operation in &operations {
            numbering.learn(operation);
        }
        let mut formatter = OperationFormatter::default();
        let mut calls = Vec::new();
        for operation in &operations {
            let label = formatter.format(operation);
            for (action, is_known) in actions(operation, atomicity, &mut numbering) {
                calls.push(Call {
                    invoked: operation.invoked,
                    returned: operation.returned.filter(|_| is_known),
                    action,
                    label: label.clone(),
                });
            }
        }
        Self::new(calls)
    }
}

/// The numbers of keys and values.
#[derive(Default)]
struct Numbering {
    cells: HashMap<(Space, Key), Cell>,
    values: HashMap<Vec<u8>, Value>,
    /// The value that a revision was observed with.
    revisions: HashMap<(Cell, Revision), Value>,
}

impl Numbering {
    fn cell(&mut self, space: &Space, key: &Key) -> Cell {
        number(&mut self.cells, (space.clone(), key.clone()))
    }

    fn value(&mut self, bytes: &[u8]) -> Value {
        number(&mut self.values, bytes.to_vec())
    }

    /// Learns which values revisions stand for, because an expectation may name a revision before
    /// the log shows its value.
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

/// What an operation did, and whether its outcome is known.
fn actions(
    operation: &Operation,
    atomicity: Atomicity,
    numbering: &mut Numbering,
) -> Vec<(Action, bool)> {
    match (&operation.request, &operation.response) {
        (Request::MultiGet(space, keys), Some(Ok(Response::Records(records)))) => {
            let seen = keys.iter().zip(records).map(|(key, record)| {
                let cell = numbering.cell(space, key);
                (cell, record.as_ref().map(|record| numbering.value(&record.bytes)))
            });
            match atomicity {
                Atomicity::Batch => vec![(Action::Read(seen.collect()), true)],
                Atomicity::Key => seen.map(|seen| (Action::Read(vec![seen]), true)).collect(),
            }
        }
        // A page is no snapshot, but each of its records was stored at some moment of the call.
        (Request::Scan(space, _), Some(Ok(Response::Page(page)))) => page
            .records
            .iter()
            .map(|(key, record)| {
                let seen = (numbering.cell(space, key), Some(numbering.value(&record.bytes)));
                (Action::Read(vec![seen]), true)
            })
            .collect(),
        (Request::Write(space, batch), response) => match response {
            Some(Ok(Response::Outcomes(outcomes))) => done(space, batch, outcomes, numbering),
            Some(Err(error)) if !is_indeterminate(error) => Vec::new(),
            _ => unknown(space, batch, numbering),
        },
        _ => Vec::new(),
    }
}

/// Whether a write that failed with this error may have taken effect.
fn is_indeterminate(error: &Error) -> bool {
    let kinds = [ErrorKind::Timeout, ErrorKind::Unavailable, ErrorKind::Other];
    !error.is_retryable() && kinds.contains(&error.kind())
}

fn done(
    space: &Space,
    batch: &Batch,
    outcomes: &[Outcome],
    numbering: &mut Numbering,
) -> Vec<(Action, bool)> {
    let mut units = batch
        .writes
        .iter()
        .zip(outcomes)
        .map(|(write, outcome)| (numbering.alteration(space, write), outcome));
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

fn unknown(space: &Space, batch: &Batch, numbering: &mut Numbering) -> Vec<(Action, bool)> {
    let alterations = batch.writes.iter().map(|write| numbering.alteration(space, write));
    match batch.mode {
        BatchMode::Atomic => vec![(Action::Change(alterations.collect()), false)],
        BatchMode::Each => {
            alterations.map(|alteration| (Action::Change(vec![alteration]), false)).collect()
        }
    }
}
