//! What survives the death of the process.

use std::io::{self, BufRead, BufReader};
use std::process::Child;
use std::thread;
use std::time::Duration;

use pstate_core::{Atomicity, Key};

use crate::conformance::case::{Broken, Stop, cases, ensure};
use crate::conformance::child::{Task, WRITERS, content, keys};
use crate::conformance::test::{Store, Test};
use crate::operation::Value;

cases! { "durability";
    #[random] kill(Durability): "The end of the process, also by a kill, takes nothing that was acknowledged and leaves no half of a batch,",
}

async fn kill(test: &Test) -> Result<(), Stop> {
    test.open().await?.close().await?;
    let mut settled = [0; WRITERS];
    for seed in test.rounds(20) {
        let task =
            Task { store: test.label.to_owned(), id: test.id(), from: settled.map(|n| n + 1) };
        let acknowledged = tokio::task::block_in_place(|| run_and_kill(&task, seed))?;
        let store = test.open().await?;
        for writer in 0..WRITERS {
            let last = acknowledged[writer].unwrap_or(settled[writer]);
            settled[writer] = check(&store, writer, last).await.map_err(|stop| match stop {
                Stop::Broken(broken) => Stop::Broken(Broken { seed: Some(seed), ..broken }),
                ignored @ Stop::Ignored(_) => ignored,
            })?;
        }
        store.close().await?;
    }
    Ok(())
}

/// Starts the child, kills it at a random moment, and gives the last state of each writer that was
/// acknowledged.
fn run_and_kill(task: &Task, seed: u64) -> Result<[Option<u64>; WRITERS], Stop> {
    let failed = |error: io::Error| Stop::broken("a child process to kill", error);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut child = task.start().map_err(failed)?;
    let Some(output) = child.stdout.take() else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    let (after, pause) = (random.usize(..80), Duration::from_micros(random.u64(..3_000)));
    let mut acknowledged = [None; WRITERS];
    for (n, line) in BufReader::new(output).lines().enumerate() {
        let line = line.map_err(failed)?;
        if n == after {
            // Somewhere in the writes that come next; their acknowledgements are still read.
            thread::sleep(pause);
            end(&mut child)?;
        }
        let Some((writer, state)) = acknowledgement(&line) else {
            end(&mut child)?;
            return Err(Stop::broken("every write of the child acknowledged", line));
        };
        acknowledged[writer] = Some(state);
    }
    end(&mut child)?;
    Ok(acknowledged)
}

/// Which writer's which state a line of the child acknowledges.
fn acknowledgement(line: &str) -> Option<(usize, u64)> {
    let (writer, state) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    let writer = writer.parse().ok().filter(|&writer| writer < WRITERS)?;
    Some((writer, state.parse().ok()?))
}

fn end(child: &mut Child) -> Result<(), Stop> {
    let ended = child.kill().and_then(|()| child.wait());
    ended.map(drop).map_err(|error| Stop::broken("a child that can be killed", error))
}

/// Checks one writer's records against the last state that was acknowledged, and gives the state
/// to go on from.
async fn check(store: &Store, writer: usize, last: u64) -> Result<u64, Stop> {
    let keys: Vec<Key> = keys(writer).into_iter().take(store.at_most(4)).collect();
    let values = store.values(&keys).await?;
    let holds = |record: usize, state| {
        let content = content(record, state);
        values[record] == content.as_deref().map(Value::from)
    };
    let records = 0..keys.len();
    let stored = || format!("{keys:?}: {values:?}");
    // The write after the last may have happened without its acknowledgement having arrived.
    match store.capabilities().atomicity {
        Atomicity::Batch => {
            let whole = |state: &u64| records.clone().all(|record| holds(record, *state));
            let state = [last + 1, last].into_iter().find(whole);
            state.ok_or_else(|| {
                let expected = "batch, whole, or the one after it";
                Stop::broken(format_args!("writer {writer}'s {last}th {expected}"), stored())
            })
        }
        Atomicity::Key => {
            let kept = records.clone().all(|record| holds(record, last) || holds(record, last + 1));
            let expected = format!("writer {writer}'s {last}th value of each key, or the next");
            ensure(kept, &expected, stored()).map(|()| last)
        }
    }
}
