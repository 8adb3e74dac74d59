//! Reads and writes of 64 tasks at once.

use std::time::Instant;

use pstate::{Key, PState};
use tokio::task::JoinSet;

use crate::baseline::Baseline;
use crate::documents::card::Card;
use crate::documents::plain;
use crate::measure::nanos_since;
use crate::{Error, Result};

/// How many tasks there are.
pub(super) const TASKS: usize = 64;
/// How many documents each task reads.
pub(super) const GETS: usize = 15;
/// How many documents each task writes.
pub(super) const PUTS: usize = 10;

pub(super) async fn get_by_pstate(pstate: &PState, keys: Vec<Vec<Key>>) -> Result<Vec<f64>> {
    let tasks = keys.into_iter().map(|keys| {
        let pstate = pstate.clone();
        async move {
            for key in &keys {
                std::hint::black_box(pstate.get(key).await?);
            }
            Ok(())
        }
    });
    together(tasks, TASKS * GETS).await
}

pub(super) async fn get_by_baseline<B: Baseline>(
    baseline: &B,
    keys: Vec<Vec<Key>>,
) -> Result<Vec<f64>> {
    let tasks = keys.into_iter().enumerate().map(|(task, keys)| {
        let mut baseline = baseline.for_task(task);
        async move {
            for key in &keys {
                std::hint::black_box(baseline.get(key).await?);
            }
            Ok(())
        }
    });
    together(tasks, TASKS * GETS).await
}

pub(super) async fn put_by_pstate(
    pstate: &PState,
    documents: Vec<Vec<(Key, Card)>>,
) -> Result<Vec<f64>> {
    let tasks = documents.into_iter().map(|documents| {
        let pstate = pstate.clone();
        async move {
            for (key, document) in &documents {
                pstate.put(key, document).await?;
            }
            Ok(())
        }
    });
    together(tasks, TASKS * PUTS).await
}

pub(super) async fn put_by_baseline<B: Baseline>(
    baseline: &B,
    documents: Vec<Vec<(Key, plain::Card)>>,
) -> Result<Vec<f64>> {
    let tasks = documents.into_iter().enumerate().map(|(task, documents)| {
        let mut baseline = baseline.for_task(task);
        async move {
            for (key, document) in &documents {
                baseline.put(key, document).await?;
            }
            Ok(())
        }
    });
    together(tasks, TASKS * PUTS).await
}

/// Starts all tasks and waits for the last one. One sample: the nanoseconds for each piece of work,
/// by the throughput.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn together<W>(tasks: impl Iterator<Item = W>, work: usize) -> Result<Vec<f64>>
where
    W: Future<Output = Result<(), Error>> + Send + 'static,
{
    let tasks: Vec<W> = tasks.collect();
    let begin = Instant::now();
    let mut running: JoinSet<_> = tasks.into_iter().collect();
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(vec![nanos_since(begin) / work as f64])
}
