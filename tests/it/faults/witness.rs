//! What clients did and saw, for the checker of histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use parking_lot::Mutex;
use pstate::{Error, ErrorKind};
use pstate_testkit::history::{Action, Alteration, Call, Cell, Expectation, History, Value};

/// The calls of many clients, under one clock.
#[derive(Debug, Default)]
pub(super) struct Witness {
    clock: AtomicU64,
    values: AtomicU32,
    calls: Mutex<Vec<Call>>,
}

impl Witness {
    /// A value that nobody has written before.
    pub(super) fn new_value(&self) -> Value {
        self.values.fetch_add(1, SeqCst)
    }

    /// A call is about to be made.
    pub(super) fn begin(self: &Arc<Self>, label: String) -> Attempt {
        let invoked = self.tick();
        Attempt { witness: self.clone(), invoked, label, announced: Vec::new() }
    }

    /// Everything that was witnessed until now.
    pub(super) fn history(&self) -> History {
        History::new(self.calls.lock().clone())
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }
}

/// A call that was made and is not decided. If it is dropped, nobody knows what became of it.
#[derive(Debug)]
pub(super) struct Attempt {
    witness: Arc<Witness>,
    invoked: u64,
    label: String,
    announced: Vec<Action>,
}

impl Attempt {
    /// Says what the call does from now on, if it does anything; each action for itself.
    pub(super) fn announce(&mut self, actions: impl IntoIterator<Item = Action>) {
        self.announced = actions.into_iter().collect();
    }

    /// It has done what was announced.
    pub(super) fn succeeded(mut self) {
        let returned = self.witness.tick();
        self.record(Some(returned));
    }

    /// It has changed nothing, and has done this instead.
    pub(super) fn found(mut self, actions: impl IntoIterator<Item = Action>) {
        self.announce(actions);
        self.succeeded();
    }

    /// It has failed, as calls of a store that fails may.
    pub(super) fn failed(mut self, error: &Error) {
        let expected = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable);
        assert!(expected, "{}: {error}", self.label);
        if error.is_retryable() {
            self.announced.clear();
        }
    }

    fn record(&mut self, returned: Option<u64>) {
        let (invoked, call) = (self.invoked, &self.label);
        let calls = self.announced.drain(..).map(|action| {
            let label = match &action {
                Action::Read(seen) => format!("{call} -> {seen:?}"),
                _ => call.clone(),
            };
            Call { invoked, returned, action, label }
        });
        self.witness.calls.lock().extend(calls);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.record(None);
    }
}

/// A cell holds this.
pub(super) fn saw(cell: Cell, value: Option<Value>) -> Action {
    Action::Read(vec![(cell, value)])
}

/// A cell becomes this, whatever it was.
pub(super) fn set(cell: Cell, becomes: Option<Value>) -> Action {
    Action::Change(vec![alter(cell, Expectation::Any, becomes)])
}

pub(super) fn alter(cell: Cell, expectation: Expectation, becomes: Option<Value>) -> Alteration {
    Alteration { cell, expectation, becomes }
}
