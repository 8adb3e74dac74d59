//! Futures that are polled a few times, and then kept: as in a stream of reads whose consumer reads
//! from the same store between two of them.

use std::num::NonZeroUsize;
use std::pin::Pin;

use futures_util::poll;
use pstate_core::{Batch, ChangeSubscription, Expect, Key, Scan};
use tokio::task::yield_now;

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::context::Context;
use crate::conformance::shorthand::{key, put_if};
use crate::conformance::store::Store;

cases! { "unpolled";
    multi_get [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    write [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    scan [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    spaces [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    flush [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    count_versions [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    subscribe [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    changes [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    close [Concurrency Overlap]: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
}

/// More calls than an adapter has connections.
const KEPT: usize = 300;
/// How often a future is polled at most before it is kept: some hold what they use from the first
/// poll on, others what they are given while they wait.
const POLLS: usize = 4;

type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Begins calls, polls each once or a few times, and returns those that are not done by then.
async fn keep<'a, T>(calls: impl Iterator<Item = Call<'a, T>>) -> Vec<Call<'a, T>> {
    let mut kept = Vec::new();
    for (n, mut call) in calls.enumerate() {
        let mut is_done = false;
        for _ in 0..=n % POLLS {
            is_done = poll!(call.as_mut()).is_ready();
            if is_done {
                break;
            }
            yield_now().await;
        }
        if !is_done {
            kept.push(call);
        }
    }
    kept
}

/// A store with as many records as one call reads, up to 300, and their keys.
async fn filled(context: &Context) -> CaseResult<(Store, Vec<Key>)> {
    let store = context.open().await?;
    let keys: Vec<_> =
        (0..store.up_to_max_batch(300)).map(|n| key(&format!("card:{n:03}"))).collect();
    store.put_all(&keys, "there").await?;
    Ok((store, keys))
}

/// Every other call ends.
async fn others_proceed(store: &Store, keys: &[Key]) -> CaseResult {
    for round in 0..3 {
        store.put("card:000", &format!("value {round}")).await?;
        store.record(&keys[0]).await?;
        store.records(keys).await?;
        store.scan("", 100).await?;
        store.adapter.spaces().await?;
        store.adapter.flush().await?;
        let extensions = store.adapter.extensions();
        if let Some(counter) = extensions.count_versions {
            counter.count_versions(&store.space).await?;
        }
        if let Some(feed) = extensions.change_feed {
            feed.subscribe().await?.changes().await?;
        }
    }
    Ok(())
}

async fn multi_get(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let keys_of = |n: usize| if n.is_multiple_of(2) { &keys[..] } else { &keys[..1] };
    let kept = keep((0..KEPT).map(|n| store.adapter.multi_get(&store.space, keys_of(n)))).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn write(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let batch = |n: usize| {
        let name = if n.is_multiple_of(2) { "card:000".to_owned() } else { format!("new:{n}") };
        Batch::each(vec![put_if(&name, "kept", Expect::Any)])
    };
    let batches: Vec<_> = (0..KEPT).map(batch).collect();
    let kept = keep(batches.iter().map(|batch| store.adapter.write(&store.space, batch))).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn scan(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MAX };
    let kept = keep((0..KEPT).map(|_| store.adapter.scan(&store.space, &scan))).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn spaces(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let kept = keep((0..KEPT).map(|_| store.adapter.spaces())).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn flush(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let kept = keep((0..KEPT).map(|_| store.adapter.flush())).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn count_versions(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let Some(counter) = store.adapter.extensions().count_versions else {
        return Err(CaseError::ignored("it does not count versions"));
    };
    let kept = keep((0..KEPT).map(|_| counter.count_versions(&store.space))).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn subscribe(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let Some(feed) = store.adapter.extensions().change_feed else {
        return Err(CaseError::ignored("it has no change feed"));
    };
    let kept = keep((0..KEPT).map(|_| feed.subscribe())).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn changes(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let Some(feed) = store.adapter.extensions().change_feed else {
        return Err(CaseError::ignored("it has no change feed"));
    };
    let mut asking: Vec<Box<dyn ChangeSubscription>> = Vec::new();
    let mut waiting: Vec<Box<dyn ChangeSubscription>> = Vec::new();
    for _ in 0..KEPT / 10 {
        asking.push(feed.subscribe().await?);
        waiting.push(feed.subscribe().await?);
    }
    store.put("card:000", "changed").await?;
    let _waiting = keep(waiting.iter_mut().map(|subscription| subscription.wait())).await;
    let kept = keep(asking.iter_mut().map(|subscription| subscription.changes())).await;
    others_proceed(&store, &keys).await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}

async fn close(context: &Context) -> CaseResult {
    let (store, keys) = filled(context).await?;
    let kept = keep((0..KEPT).map(|_| store.adapter.close())).await;
    // The store is open or closed now: it answers either way.
    let _ = store.adapter.multi_get(&store.space, &keys).await;
    let _ = store.adapter.spaces().await;
    store.adapter.close().await?;
    for call in kept {
        call.await?;
    }
    Ok(())
}
