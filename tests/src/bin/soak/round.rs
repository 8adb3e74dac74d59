//! What a fault can do in its round.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use pstate_testkit::redis::Reply;

use crate::arguments::{Slot, Task};
use crate::history::now;
use crate::place::Place;
use crate::process::{Process, Reports};

/// How many documents each process writes.
pub(crate) const SLOTS: Slot = 6;

pub(crate) struct Round {
    pub(crate) place: Place,
    pub(crate) rng: Rng,
    pub(crate) workers: Vec<Process>,
    /// Where the documents have to be at the end, if not in the place's own store.
    pub(crate) truth: Vec<(Range<Slot>, String)>,
    injected: usize,
    reports: Arc<Reports>,
}

/// The documents of the worker of this number.
pub(crate) fn slots_of(worker: Slot) -> Range<Slot> {
    worker * SLOTS..(worker + 1) * SLOTS
}

impl Round {
    pub(crate) fn new(place: Place, seed: u64) -> Self {
        Self {
            place,
            rng: Rng::with_seed(seed),
            workers: Vec::new(),
            truth: Vec::new(),
            injected: 0,
            reports: Arc::default(),
        }
    }

    /// What all processes have reported so far.
    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    pub(crate) fn injected(&self) -> usize {
        self.injected
    }

    /// Starts a process, and waits until it uses the store.
    pub(crate) fn start(
        &mut self,
        url: &str,
        writes: Range<Slot>,
        reads: Range<Slot>,
    ) -> Result<(), String> {
        let task = Task { url: url.to_owned(), writes, reads, seed: self.rng.u64(..) };
        let process = Process::start(&task, &self.reports)?;
        process.wait_until_ready()?;
        self.workers.push(process);
        Ok(())
    }

    /// Lets the processes work for a random time, in milliseconds.
    pub(crate) fn pause(&mut self, millis: Range<u64>) {
        thread::sleep(Duration::from_millis(self.rng.u64(millis)));
    }

    /// Counts a fault that happens.
    pub(crate) fn count(&mut self) {
        self.injected += 1;
    }

    /// Sends a command to the round's server.
    pub(crate) fn command(&self, command: &[&str]) -> Result<Reply, String> {
        let server = self.place.server.as_ref().ok_or("a round without a server")?;
        match server.try_command(command) {
            Ok(Reply::Error(error)) => Err(format!("{command:?}: {error}")),
            Ok(reply) => Ok(reply),
            Err(error) => Err(format!("{command:?}: {error}")),
        }
    }

    /// Counts a fault that the store has refused, and shows its error.
    pub(crate) fn refused(&mut self, what: &str, error: &pstate::Error) {
        self.reports.errors.lock().push(format!("{what}: {error}"));
        self.count();
    }

    /// Does something that takes everything away that is stored, unless it fails.
    pub(crate) fn wipe<T, E>(
        &mut self,
        wipe: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begin = now();
        let done = wipe(self)?;
        self.reports.history.lock().wipe(begin, now());
        self.count();
        Ok(done)
    }
}
