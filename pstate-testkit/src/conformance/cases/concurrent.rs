//! Overlapping calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join_all, try_join_all};
use parking_lot::Mutex;
use pstate_core::{Batch, Expect, Outcome, Write};

use crate::conformance::case::{Case, cases};
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::promise::Promise;
use crate::conformance::random_client::RandomClient;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::{key, put_if};
use crate::conformance::sizes::{SIZES, is_long};
use crate::conformance::store::Store;
use crate::history::History;
use crate::recording::{Request, Response};

cases! { "concurrent";
    #[random] linearizable [Concurrency Overlap]: "Calls that overlap take effect one at a time: a single key is linearizable.",
    lost_updates [Concurrency Overlap]: "Calls that overlap take effect one at a time: a single key is linearizable.",
    two_handles [Concurrency Handle] (Durability): "Calls that overlap take effect one at a time: a single key is linearizable.",
    one_winner [Concurrency Overlap]: "Calls that overlap take effect one at a time: a single key is linearizable.",
    whole_batches [Atomicity Overlap] (BatchAtomicity): "the records are one snapshot: of an atomic batch either all is seen or nothing.",
    progress [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
}

async fn linearizable(context: &Context) -> CaseResult {
    for seed in context.rounds(16) {
        context.reset().await?;
        let store = context.open().await?;
        let keys: Vec<_> = (0..3).map(|n| key(&format!("card:{n}"))).collect();
        let clients = (0..6).map(|number| {
            let seed = seed.wrapping_mul(31).wrapping_add(number);
            tokio::spawn(RandomClient::new(number, store.clone(), keys.clone(), seed).run(25))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await??;
        }
        // The order must explain the final state as well.
        for keys in keys.chunks(store.up_to_max_batch(3)) {
            store.records(keys).await?;
        }
        let history = History::recorded(&context.log(), store.capabilities().atomicity);
        if let Err(violation) = history.check() {
            let error = CaseError::mismatch(
                "an order of the calls, one at a time, that explains all answers",
                "no order explains these calls",
            );
            let diagram = violation.to_string().lines().map(str::to_owned).collect();
            return Err(error.with_operations(diagram).with_seed(seed));
        }
        store.close().await?;
    }
    Ok(())
}

async fn lost_updates(context: &Context) -> CaseResult {
    let store = context.open().await?;
    increment_concurrently(context, &[store]).await
}

async fn two_handles(context: &Context) -> CaseResult {
    let handles = [context.open().await?, context.open_second_handle().await?];
    increment_concurrently(context, &handles).await
}

/// Eight tasks, spread over these handles, increment one counter by compare-and-swap.
pub(super) async fn increment_concurrently(context: &Context, handles: &[Store]) -> CaseResult {
    let updates = 25;
    let store = &handles[0];
    store.put("counter:1", "0").await?;
    let tasks = handles.iter().cycle().take(8).map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..updates {
                increment(&store).await?;
            }
            Ok::<_, CaseError>(())
        })
    });
    for task in join_all(tasks).await {
        task??;
    }
    let counted = number(&store.existing("counter:1").await?.bytes)?;
    let expected = 8 * updates;
    if counted == expected {
        return Ok(());
    }
    let error = CaseError::mismatch(
        format_args!("{expected} after {expected} acknowledged increments"),
        counted,
    );
    Err(error.with_operations(conflicting_swaps(context)))
}

/// Two acknowledged swaps that expected the same revision; the whole log if there are none.
fn conflicting_swaps(context: &Context) -> Vec<String> {
    let log = context.log();
    let mut first_by_revision = HashMap::new();
    let lines = log.lines();
    for (n, operation) in log.operations().iter().enumerate() {
        let Request::Write(_, batch) = &operation.request else { continue };
        let Some(Ok(Response::Outcomes(outcomes))) = &operation.response else { continue };
        let (Some(write), Some(Outcome::Stored(_))) = (batch.writes.first(), outcomes.first())
        else {
            continue;
        };
        if let Expect::Revision(revision) = write.expect
            && let Some(first) = first_by_revision.insert(revision.as_number(), n)
        {
            return vec![lines[first].clone(), lines[n].clone()];
        }
    }
    lines
}

async fn increment(store: &Store) -> CaseResult {
    loop {
        let record = store.existing("counter:1").await?;
        let next = (number(&record.bytes)? + 1).to_string();
        let swap = put_if("counter:1", &next, Expect::Revision(record.revision));
        match store.write_one(swap).await? {
            Outcome::Stored(_) => return Ok(()),
            Outcome::Conflict => {}
            other => {
                return Err(CaseError::mismatch("Stored or Conflict", OutcomeKind::from(&other)));
            }
        }
    }
}

pub(super) fn number(bytes: &[u8]) -> CaseResult<u32> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| CaseError::mismatch("the number that was written", bytes.escape_ascii()))
}

async fn one_winner(context: &Context) -> CaseResult {
    let store = context.open().await?;
    for round in 0..20 {
        let name = format!("card:{round}");
        let start = Arc::new(tokio::sync::Barrier::new(6));
        let tasks = (0..6).map(|task| {
            let (store, name, start) = (store.clone(), name.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                store.write_one(put_if(&name, &format!("{task}"), Expect::Absent)).await
            })
        });
        let mut winners = Vec::new();
        for (task, outcome) in join_all(tasks).await.into_iter().enumerate() {
            match outcome?? {
                Outcome::Stored(_) => winners.push(task),
                Outcome::Conflict => {}
                other => {
                    return Err(CaseError::mismatch(
                        "Stored or Conflict",
                        OutcomeKind::from(&other),
                    ));
                }
            }
        }
        ensure(
            winners.len() == 1,
            &format!("one of six tasks that put {name} if absent"),
            format_args!("tasks {winners:?}"),
        )?;
        let value = store.existing(&name).await?.bytes;
        ensure_eq(
            "the value of the winner",
            &winners[0].to_string().into_bytes(),
            &value.to_vec(),
        )?;
    }
    Ok(())
}

/// Batches of more records than a read or a commit may do in one step.
pub(in crate::conformance) fn sized() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in SIZES.into_iter().filter(|&size| size < 60_000) {
        let name = format!("concurrent::whole_batches_of_{size}");
        let clause =
            "the records are one snapshot: of an atomic batch either all is seen or nothing.";
        let promises = [Promise::Atomicity, Promise::Reads];
        let dimensions = [Dimension::Size, Dimension::Overlap];
        let case = Case::new(name, clause, &promises, &dimensions, move |context| {
            Box::pin(async move {
                let count = context.size_of_batch(size)?;
                whole_batches_of(context, count, if is_long(size) { 4 } else { 20 }).await
            })
        });
        cases.push(case.requires(Requirement::BatchAtomicity).long(is_long(size)));
    }
    let dimensions = [Dimension::Size, Dimension::Overlap];
    let name = "concurrent::long_values";
    let clause = "Calls that overlap take effect one at a time: a single key is linearizable.";
    let promises = [Promise::Concurrency, Promise::Bytes];
    cases.push(Case::new(name, clause, &promises, &dimensions, |context| {
        Box::pin(long_values(context))
    }));
    cases
}

/// Two tasks put values of one byte repeated; no reader may find two different bytes in one.
async fn long_values(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let length = store.capabilities().max_value_len.unwrap_or(usize::MAX).min(1 << 20);
    let writers: Vec<_> = (0..2_u8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let value = vec![2 * round + writer; length];
                    store.put_bytes(&key("card:1"), value.into()).await?;
                }
                Ok::<_, CaseError>(())
            })
        })
        .collect();
    let mut is_over = false;
    while !is_over {
        // Checked before the read, so that one follows the last write.
        is_over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        if let Some(record) = store.record(&key("card:1")).await? {
            let bytes = &record.bytes;
            let is_whole = bytes.len() == length && bytes.iter().all(|byte| *byte == bytes[0]);
            ensure(is_whole, "one value that was written", "parts of several")?;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

async fn whole_batches(context: &Context) -> CaseResult {
    whole_batches_of(context, context.up_to_max_batch(150), 40).await
}

/// Two tasks write batches of so many records, and a third one reads them, so many times.
async fn whole_batches_of(context: &Context, count: usize, rounds: usize) -> CaseResult {
    if count < 2 {
        return Err(CaseError::ignored("a batch of two writes is more than its max_batch"));
    }
    let store = context.open().await?;
    let keys: Vec<_> = (0..count).map(|n| key(&format!("card:{n:05}"))).collect();
    let torn = Arc::new(Mutex::new(None));
    let reads = Arc::new(AtomicUsize::new(0));
    let write = |writer: u32| {
        let (store, keys, torn, reads) = (store.clone(), keys.clone(), torn.clone(), reads.clone());
        tokio::spawn(async move {
            for round in 0..10_000 {
                // Beside so many reads, however the tasks are scheduled.
                let is_enough = round >= rounds && reads.load(Ordering::Relaxed) >= rounds;
                if torn.lock().is_some() || is_enough {
                    break;
                }
                let value = format!("{writer}.{round}");
                let writes =
                    keys.iter().map(|key| Write::put(key.clone(), value.clone().into_bytes()));
                store.write(&Batch::atomic(writes.collect())).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, CaseError>(())
        })
    };
    let writers = [write(1), write(2)];
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let values = store.values(&keys).await?;
        reads.fetch_add(1, Ordering::Relaxed);
        if let Some(other) = values.iter().position(|value| *value != values[0]) {
            *torn.lock() = Some(format!(
                "{} holds {:?}, {} holds {:?}",
                keys[0], values[0], keys[other], values[other],
            ));
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await??;
    }
    match torn.lock().take() {
        None => Ok(()),
        Some(torn) => {
            let expected = format!("{} records of the same batch in one read", keys.len());
            let mut last = context.log().lines();
            last.drain(..last.len().saturating_sub(8));
            Err(CaseError::mismatch(expected, torn).with_operations(last))
        }
    }
}

async fn progress(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<_> = (0..store.up_to_max_batch(8)).map(|n| key(&format!("card:{n}"))).collect();
    let tasks = (0..12_usize).map(|task| {
        let (store, mut keys) = (store.clone(), keys.clone());
        // If a batch locks its keys one by one, batches in opposite orders deadlock.
        if task % 2 == 1 {
            keys.reverse();
        }
        tokio::spawn(async move {
            for round in 0..20 {
                let value = format!("{task}.{round}").into_bytes();
                let writes =
                    keys.iter().map(|key| Write::put(key.clone(), value.clone())).collect();
                let batch = store.widest_batch(writes);
                store.write(&batch).await?;
                match task % 3 {
                    0 => drop(store.records(&keys).await?),
                    1 => drop(store.scan("", 3).await?),
                    _ => drop(store.adapter.spaces().await?),
                }
            }
            Ok::<_, CaseError>(())
        })
    });
    let tasks = try_join_all(tasks.collect::<Vec<_>>()).await;
    let tasks = tasks?;
    tasks.into_iter().collect()
}
