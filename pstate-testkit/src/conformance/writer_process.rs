//! The process that `durability::kill` kills: it writes, and reports what was acknowledged.

use std::env;
use std::io::{self, Write as _};
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use pstate_core::{Batch, Error, ErrorKind, Key, Outcome, Result, Write};

use super::child::CHILD;
use super::harness::Harness;
use super::runtime::runtime;
use super::shorthand::key;
use super::store::Store;

/// The number of writers of a process; each has its own records.
pub(super) const WRITERS: usize = 3;

/// The task of a child process: to write one state after the other of each writer's records, until
/// the process is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriterTask {
    /// The name of the store in the suite.
    pub(super) store: String,
    pub(super) id: String,
    /// The first state that each writer writes.
    pub(super) from: [u64; WRITERS],
}

impl WriterTask {
    /// Starts a child process with this task.
    pub(super) fn start(&self) -> io::Result<Child> {
        let from = self.from.map(|from| from.to_string()).join(" ");
        Command::new(env::current_exe()?)
            .env(CHILD, format!("write {} {from} {}", self.id, self.store))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
    }

    /// Does the task until the process is killed, or a write fails. Returns whether it could start.
    pub(super) fn run(&self, harness: &dyn Harness) -> bool {
        let Ok(runtime) = runtime() else { return false };
        let done = runtime.block_on(async {
            let store = Store::new(harness.open(&self.id).await?);
            let writers = self.from.iter().enumerate();
            let writers = writers.map(|(writer, &from)| write_states(&store, writer, from));
            join_all(writers).await.into_iter().collect::<Result<()>>()
        });
        if let Err(error) = done {
            print_line(&format!("failed {error}"));
        }
        true
    }
}

/// The task of this process, if it is a child.
pub(super) fn task() -> Option<WriterTask> {
    let text = env::var(CHILD).ok()?;
    let mut words = text.strip_prefix("write ")?.splitn(2 + WRITERS, ' ');
    let id = words.next()?.to_owned();
    let mut from = [0; WRITERS];
    for from in &mut from {
        *from = words.next()?.parse().ok()?;
    }
    Some(WriterTask { store: words.next().unwrap_or_default().to_owned(), id, from })
}

async fn write_states(store: &Store, writer: usize, from: u64) -> Result<()> {
    for state in from.. {
        let batch = batch(store, writer, state);
        let outcomes = store.adapter.write(&store.space, &batch).await?;
        if let Some(outcome) = outcomes.iter().find(|outcome| !outcome.is_done()) {
            return Err(match outcome {
                Outcome::Failed(error) => error.clone(),
                other => Error::new(ErrorKind::Other, format!("{other:?} without an expectation")),
            });
        }
        if !print_line(&format!("acknowledged {writer} {state}")) {
            // The parent has ended, so that nothing would kill this process.
            break;
        }
    }
    Ok(())
}

/// Prints a line in one system call, so that the parent receives all of it or nothing. Fails if
/// the parent has died.
fn print_line(line: &str) -> bool {
    let mut output = io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush()).is_ok()
}

/// The writer and the state that a line of the child acknowledges.
pub(super) fn acknowledgement(line: &str) -> Option<(usize, u64)> {
    let (writer, state) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    let writer = writer.parse().ok().filter(|&writer| writer < WRITERS)?;
    Some((writer, state.parse().ok()?))
}

/// The keys of a writer's records.
pub(super) fn keys(writer: usize) -> Vec<Key> {
    ["a", "b", "c", "d"].iter().map(|record| key(&format!("kill:{writer}-{record}"))).collect()
}

/// The content of a record in a state. Every fifth state deletes all records but the first; in
/// state 0 no record exists yet.
pub(super) fn content(record: usize, state: u64) -> Option<String> {
    let exists = state > 0 && (record == 0 || state % 5 != 4);
    // Some contents are so long that a torn write shows.
    exists.then(|| format!("{state} {}", "=".repeat(usize::try_from(state % 7).unwrap_or(0) * 700)))
}

fn batch(store: &Store, writer: usize, state: u64) -> Batch {
    let mut keys = keys(writer);
    keys.truncate(store.up_to_max_batch(keys.len()));
    let changes = keys.into_iter().enumerate().map(|(record, key)| match content(record, state) {
        Some(content) => Write::put(key, content.into_bytes()),
        None => Write::delete(key),
    });
    store.widest_batch(changes.collect())
}
