//! Many tasks at once.

use std::time::Instant;

use pstate::{Key, PState};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::by_hand::{ByHand, Parse};
use crate::timing::nanos_since;
use crate::{Error, Result};

/// How many there are.
pub(crate) const TASKS: usize = 64;
/// How many documents each reads.
pub(crate) const GETS: usize = 15;
/// How many documents each writes.
pub(crate) const PUTS: usize = 10;

pub(crate) async fn get_ours(pstate: &PState, keys: Vec<Vec<Key>>) -> Result<Vec<f64>> {
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

pub(crate) async fn get_by_hand<H: ByHand, T: Send + 'static>(
    hand: &H,
    keys: Vec<Vec<Key>>,
    parse: Parse<T>,
) -> Result<Vec<f64>> {
    let tasks = keys.into_iter().enumerate().map(|(task, keys)| {
        let mut hand = hand.for_task(task);
        async move {
            for key in &keys {
                std::hint::black_box(hand.get(key, parse).await?);
            }
            Ok(())
        }
    });
    together(tasks, TASKS * GETS).await
}

pub(crate) async fn put_ours(
    pstate: &PState,
    documents: Vec<Vec<(Key, Value)>>,
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

pub(crate) async fn put_by_hand<H: ByHand>(
    hand: &H,
    documents: Vec<Vec<(Key, Value)>>,
) -> Result<Vec<f64>> {
    let tasks = documents.into_iter().enumerate().map(|(task, documents)| {
        let mut hand = hand.for_task(task);
        async move {
            for (key, document) in &documents {
                hand.put(key, document).await?;
            }
            Ok(())
        }
    });
    together(tasks, TASKS * PUTS).await
}

/// Lets all begin, and waits for the last one. How many nanoseconds there were for each piece of work: one
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
