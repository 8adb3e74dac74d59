//! What survives a killed process.

use std::io::{self, BufRead, BufReader};
use std::process::Child;
use std::thread;
use std::time::Duration;

use pstate_core::{Atomicity, Key};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure;
use crate::conformance::context::Context;
use crate::conformance::store::Store;
use crate::conformance::writer_process::{WRITERS, WriterTask, acknowledgement, content, keys};
use crate::recording::Value;

cases! { "durability";
    #[random] kill [Durability Time] (Durability): "The end of the process, also by a kill, takes nothing that was acknowledged and leaves no half of a batch,",
}

async fn kill(context: &Context) -> CaseResult {
    context.open().await?.close().await?;
    // The last state of each writer that is known to be stored.
    let mut settled = [0; WRITERS];
    for seed in context.rounds(20) {
        let task = WriterTask {
            store: context.store.to_owned(),
            id: context.id(),
            from: settled.map(|n| n + 1),
        };
        let acknowledged = tokio::task::block_in_place(|| run_and_kill(&task, seed))?;
        let store = context.open().await?;
        for writer in 0..WRITERS {
            let last = acknowledged[writer].unwrap_or(settled[writer]);
            let state = check(&store, writer, last).await;
            settled[writer] = state.map_err(|error| error.with_seed(seed))?;
        }
        store.close().await?;
    }
    Ok(())
}

/// Starts the child, kills it at a random moment, and returns the last acknowledged state of each
/// writer.
fn run_and_kill(task: &WriterTask, seed: u64) -> CaseResult<[Option<u64>; WRITERS]> {
    let failed = |error: io::Error| CaseError::mismatch("a child process to kill", error);
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
            // Kills the child during its next writes. Their acknowledgements are still read.
            thread::sleep(pause);
            end(&mut child)?;
        }
        let Some((writer, state)) = acknowledgement(&line) else {
            end(&mut child)?;
            return Err(CaseError::mismatch("every write of the child acknowledged", line));
        };
        acknowledged[writer] = Some(state);
    }
    end(&mut child)?;
    Ok(acknowledged)
}

fn end(child: &mut Child) -> CaseResult {
    let ended = child.kill().and_then(|()| child.wait());
    ended.map(drop).map_err(|error| CaseError::mismatch("a child that can be killed", error))
}

/// Checks the records of one writer against its last acknowledged state, and returns the state that
/// they are in.
async fn check(store: &Store, writer: usize, last: u64) -> CaseResult<u64> {
    let keys: Vec<Key> = keys(writer).into_iter().take(store.up_to_max_batch(4)).collect();
    let values = store.values(&keys).await?;
    let holds = |record: usize, state| {
        let content = content(record, state);
        values[record] == content.as_deref().map(Value::from)
    };
    let records = 0..keys.len();
    let stored = || format!("{keys:?}: {values:?}");
    // The next write may have taken effect, although its acknowledgement did not arrive.
    match store.capabilities().atomicity {
        Atomicity::Batch => {
            let whole = |state: &u64| records.clone().all(|record| holds(record, *state));
            let state = [last + 1, last].into_iter().find(whole);
            state.ok_or_else(|| {
                let expected = format!("all of batch {last} of writer {writer}, or of the next");
                CaseError::mismatch(expected, stored())
            })
        }
        Atomicity::Key => {
            let kept = records.clone().all(|record| holds(record, last) || holds(record, last + 1));
            let expected = format!("value {last} of writer {writer} at each key, or the next");
            ensure(kept, &expected, stored()).map(|()| last)
        }
    }
}
