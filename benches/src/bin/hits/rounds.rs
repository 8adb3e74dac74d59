//! Reading by several threads and tasks, in rounds.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use pstate_benches::Result;
use pstate_benches::measure::{nanos_since, rotation};

use crate::cached::{Cached, READS};
use crate::contender::Contender;

/// How many tasks read at once.
const TASKS: usize = 64;

/// How many rounds precede the rounds that count.
const WARM_UP: usize = 3;

/// Lets all contenders read in turns; what each took in each round.
pub(crate) fn measure(
    contenders: &[Contender],
    rounds: usize,
    mut read: impl FnMut(Contender, usize) -> Result<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut measured = vec![Vec::new(); contenders.len()];
    for round in 0..WARM_UP + rounds {
        for at in rotation(round, contenders.len()) {
            let nanos = read(contenders[at], round)?;
            if round >= WARM_UP {
                measured[at].push(nanos);
            }
        }
    }
    Ok(measured)
}

/// Reads in several threads at once; the mean of what they took.
pub(crate) fn side_by_side(
    threads: usize,
    read: impl AsyncFn(usize) -> Result<f64> + Sync,
) -> Result<f64> {
    let barrier = Barrier::new(threads);
    let nanos: Vec<Result<f64>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, read) = (&barrier, &read);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                    barrier.wait();
                    runtime.block_on(read(thread))
                })
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<f64>>| {
            thread.join().unwrap_or_else(|_| Err("a thread has panicked".into()))
        };
        threads.into_iter().map(join).collect()
    });
    let nanos: Vec<f64> = nanos.into_iter().collect::<Result<_>>()?;
    Ok(nanos.iter().sum::<f64>() / threads as f64)
}

/// Reads by 64 tasks on two threads; the nanoseconds for each read, by the throughput.
pub(crate) async fn by_tasks(cached: Arc<Cached>, contender: Contender) -> Result<f64> {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let cached = cached.clone();
            tokio::spawn(async move {
                let first = task * cached.order.len() / TASKS;
                let order = cached.order.iter().cycle().skip(first).take(READS / 4);
                for (reads, &at) in order.enumerate() {
                    cached.read_one(contender, at as usize).await?;
                    if contender == Contender::Bare && reads % 256 == 255 {
                        // PState's reads yield as well.
                        tokio::task::yield_now().await;
                    }
                }
                Ok::<_, pstate_benches::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(nanos_since(begin) / (TASKS * (READS / 4)) as f64)
}
