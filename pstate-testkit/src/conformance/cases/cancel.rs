//! Futures that are dropped before their end.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::Poll;

use pstate_core::{Batch, Durability, Scan, Write};

use crate::conformance::case::{Stop, cases, ensure, same};
use crate::conformance::test::{Came, Store, Test, came, key};
use crate::operation::Value;

cases! { "cancel";
    write: "Dropping the future leaves each atomic unit either wholly done or not done at all, now or a little later.",
    write_beside_others: "A dropped call does not affect others.",
    reads: "Dropping the future has no effect.",
    flush: "Dropping the future has no effect on what is stored.",
    close: "Dropping the future may leave the adapter closed or open, never anything in between.",
}

/// More awaits than any adapter is likely to have in one call.
pub(super) const POLLS: usize = 60;

/// Polls at most so many times, then drops the future. `None` if that was before its end.
pub(super) async fn poll_at_most<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Without another poll allowed there is nothing to wait for.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn batch(store: &Store, round: usize) -> Batch {
    let number = store.at_most(if store.has_atomic_batches() { 5 } else { 1 });
    let value = format!("value {round}");
    let writes =
        (0..number).map(|n| Write::put(key(&format!("unit:{n}")), value.clone().into_bytes()));
    Batch::atomic(writes.collect())
}

async fn write(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let keys: Vec<_> = batch(&store, 0).writes.into_iter().map(|write| write.key).collect();
    let mut acknowledged = 0;
    for round in 1..=3 * POLLS {
        let polls = round % POLLS;
        let done =
            poll_at_most(store.adapter.write(&store.space, &batch(&store, round)), polls).await;
        if let Some(outcomes) = done {
            ensure(
                came(&outcomes?).iter().all(|&came| came == Came::Stored),
                "all stored",
                "something else",
            )?;
            acknowledged = round;
        }
        // It may still happen a little later, but never by halves.
        for _ in 0..3 {
            let values = store.values(&keys).await?;
            ensure(
                values.windows(2).all(|pair| pair[0] == pair[1]),
                "all of the batch, or nothing of it",
                format_args!("{values:?}"),
            )?;
            ensure(
                acknowledged == 0 || values[0].is_some(),
                "at least what was acknowledged",
                format_args!("{values:?}"),
            )?;
        }
        store.put("other:1", &round.to_string()).await?;
    }
    ensure(acknowledged > 0, "a write that is polled often enough to end", "none ended")
}

async fn write_beside_others(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    store.put("card:0", "from before").await?;
    for round in 0..POLLS {
        // One that is dropped, between two that aren't.
        let name = |n: i32| format!("card:{n}");
        let value = format!("value {round}");
        let first = store.clone();
        let (first_name, first_value) = (name(1), value.clone());
        let first = tokio::spawn(async move { first.put(&first_name, &first_value).await });
        let dropped = batch(&store, round);
        let _ = poll_at_most(store.adapter.write(&store.space, &dropped), round % 20).await;
        store.put(&name(2), &value).await?;
        first.await.map_err(|error| Stop::broken("no panic", error))??;
        let read = store.value(&name(0)).await?;
        same("what was there before", &Some(Value::from("from before")), &read)?;
        for n in [1, 2] {
            let read = store.value(&name(n)).await?;
            same("what was acknowledged", &Some(Value::from(value.as_str())), &read)?;
        }
    }
    let expected = 3 + batch(&store, 0).writes.len();
    let found = store.scanned("", 3).await?.len();
    ensure(found == expected || found == 3, &format!("{expected} records"), found)
}

async fn reads(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let keys: Vec<_> = (0..store.at_most(200)).map(|n| key(&format!("card:{n:03}"))).collect();
    store.put_all(&keys, "there").await?;
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MAX };
    for polls in 0..POLLS {
        let _ = poll_at_most(store.adapter.multi_get(&store.space, &keys), polls).await;
        let _ = poll_at_most(store.adapter.scan(&store.space, &scan), polls).await;
        let _ = poll_at_most(store.adapter.spaces(), polls).await;
        let there = store.values(&keys).await?.into_iter().flatten().count();
        same("all records after dropped reads", &keys.len(), &there)?;
        same("all keys after dropped reads", &keys.len(), &store.scanned("", 100).await?.len())?;
    }
    store.put("card:000", "changed").await?;
    same("a put after dropped reads", &Some("changed".into()), &store.value("card:000").await?)
}

async fn flush(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    for polls in 0..POLLS {
        store.put("card:1", &polls.to_string()).await?;
        let _ = poll_at_most(store.adapter.flush(), polls).await;
        let expected = Some(Value::from(polls.to_string().as_str()));
        same("what was written", &expected, &store.value("card:1").await?)?;
    }
    Ok(store.adapter.flush().await?)
}

async fn close(test: &Test) -> Result<(), Stop> {
    for polls in 0..20 {
        test.renew().await?;
        let store = test.open().await?;
        let durable = store.capabilities().durability != Durability::None;
        store.put("card:1", "one").await?;
        let _ = poll_at_most(store.adapter.close(), polls).await;
        // Whatever it is now, closing ends it, and nothing is lost.
        store.close().await?;
        if durable {
            let store = test.open().await?;
            same("what was written", &Some("one".into()), &store.value("card:1").await?)?;
            store.close().await?;
        }
    }
    Ok(())
}
