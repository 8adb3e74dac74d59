//! The process that is killed: it writes, and says what was acknowledged.

use std::env;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use pstate_core::{
    Adapter, Atomicity, Batch, Error, ErrorKind, Key, Outcome, Result, Space, Write,
};

use super::harness::Harness;
use super::test::key;

/// In the environment of a child: what it is to do.
const TASK: &str = "PSTATE_TESTKIT_CHILD";

/// How many writers a child has, each with records of its own.
pub(super) const WRITERS: usize = 3;

/// What a child is to do: for ever write the next state of each writer's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// The name of the store in the suite.
    pub(super) store: String,
    pub(super) id: String,
    /// The first state that each writer writes.
    pub(super) from: [u64; WRITERS],
}

impl Task {
    pub(super) fn start(&self) -> io::Result<Child> {
        let from = self.from.map(|from| from.to_string()).join(" ");
        Command::new(env::current_exe()?)
            .env(TASK, format!("{} {from} {}", self.id, self.store))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
    }
}

/// The task of this process, if it is a child.
pub(super) fn task() -> Option<Task> {
    let text = env::var(TASK).ok()?;
    let mut words = text.splitn(2 + WRITERS, ' ');
    let id = words.next()?.to_owned();
    let mut from = [0; WRITERS];
    for from in &mut from {
        *from = words.next()?.parse().ok()?;
    }
    Some(Task { store: words.next().unwrap_or_default().to_owned(), id, from })
}

/// Does the task until the process is killed. Gives whether there was anything to do.
pub(super) fn work(harness: &dyn Harness, task: &Task) -> bool {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return false };
    let done = runtime.block_on(async {
        let adapter = harness.open(&task.id).await?;
        let writers = task.from.iter().enumerate();
        let writers = writers.map(|(writer, &from)| write_on(adapter.clone(), writer, from));
        join_all(writers).await.into_iter().collect::<Result<()>>()
    });
    if let Err(error) = done {
        say(&format!("failed {error}"));
    }
    true
}

async fn write_on(adapter: Arc<dyn Adapter>, writer: usize, from: u64) -> Result<()> {
    for state in from.. {
        let outcomes = adapter.write(&Space::default(), &batch(&*adapter, writer, state)).await?;
        if let Some(outcome) = outcomes.iter().find(|outcome| !outcome.is_done()) {
            return Err(match outcome {
                Outcome::Failed(error) => error.clone(),
                other => Error::new(ErrorKind::Other, format!("{other:?} without an expectation")),
            });
        }
        say(&format!("acknowledged {writer} {state}"));
    }
    Ok(())
}

/// One line to the parent, in one call, so that it arrives whole or not at all.
fn say(line: &str) {
    // The parent may be gone; then nobody needs to know.
    let _ = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
    let _ = io::stdout().flush();
}

/// The records of a writer.
pub(super) fn keys(writer: usize) -> Vec<Key> {
    ["a", "b", "c", "d"].iter().map(|record| key(&format!("kill:{writer}-{record}"))).collect()
}

/// What a record holds in a state. In every fifth state all but the first are deleted; in state 0
/// nothing was ever written.
pub(super) fn content(record: usize, state: u64) -> Option<String> {
    let there = state > 0 && (record == 0 || state % 5 != 4);
    // Long enough for a torn write to show.
    there.then(|| format!("{state} {}", "=".repeat(usize::try_from(state % 7).unwrap_or(0) * 700)))
}

fn batch(adapter: &dyn Adapter, writer: usize, state: u64) -> Batch {
    let capabilities = adapter.capabilities();
    let most = capabilities.max_batch.map_or(usize::MAX, NonZeroUsize::get);
    let records = keys(writer).into_iter().take(most).enumerate();
    let changes = records.map(|(record, key)| match content(record, state) {
        Some(content) => Write::put(key, content.into_bytes()),
        None => Write::delete(key),
    });
    match capabilities.atomicity {
        Atomicity::Batch => Batch::atomic(changes.collect()),
        Atomicity::Key => Batch::each(changes.collect()),
    }
}
