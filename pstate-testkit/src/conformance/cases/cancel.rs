//! Futures that are dropped before they complete.

use std::num::NonZeroUsize;

use pstate_core::{Batch, Durability, Key, Scan, Write};

use crate::conformance::case::{Case, cases};
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::poll::{MANY_POLLS, poll_at_most};
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::key;
use crate::conformance::sizes::{SIZES, is_long};
use crate::conformance::store::Store;
use crate::recording::Value;

cases! { "cancel";
    write [Cancellation Overlap]: "Dropping the future leaves each atomic unit either wholly done or not done at all, now or a little later.",
    write_beside_others [Cancellation Overlap]: "A dropped call does not affect others.",
    reads [Cancellation Overlap]: "Dropping the future has no effect.",
    flush [Cancellation Overlap]: "Dropping the future has no effect on what is stored.",
    close [Cancellation Overlap]: "Dropping the future may leave the adapter closed or open, never anything in between.",
}

/// Batches of each size, mode and change that are dropped.
pub(in crate::conformance) fn sized() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in SIZES.into_iter().filter(|&size| size < 60_000) {
        for (of, deletes) in [("puts", false), ("puts_and_deletes", true)] {
            let name = format!("cancel::atomic_of_{size}_{of}");
            let clause = "Dropping the future leaves each atomic unit either wholly done or not done at all, now or a little later.";
            let promises = [Promise::Cancellation, Promise::Atomicity];
            let dimensions = [Dimension::Size, Dimension::Write];
            let case = Case::new(name, clause, &promises, &dimensions, move |context| {
                Box::pin(dropped_batch(context, size, deletes))
            });
            cases.push(case.requires(Requirement::BatchAtomicity).long(is_long(size)));
        }
    }
    cases
}

/// Drops an atomic batch after each number of polls; every other one deletes its records if so
/// wanted.
async fn dropped_batch(context: &Context, size: usize, deletes: bool) -> CaseResult {
    let count = context.size_of_batch(size)?;
    let store = context.open().await?;
    let keys: Vec<_> = (0..count).map(|n| key(&format!("unit:{n:05}"))).collect();
    let rounds = if is_long(size) { 3 } else { 25 };
    let mut acknowledged = false;
    for round in 0..rounds {
        let value = format!("value {round}");
        let write = |key: &Key| {
            if deletes && round % 2 == 1 {
                Write::delete(key.clone())
            } else {
                Write::put(key.clone(), value.as_bytes())
            }
        };
        let batch = Batch::atomic(keys.iter().map(write).collect());
        let done = poll_at_most(store.adapter.write(&store.space, &batch), 1 + round).await;
        acknowledged |= done.transpose()?.is_some();
        // Another write of the same handle, which must neither wait for the dropped one nor be
        // undone by it.
        store.put("other:1", &value).await?;
        let values = store.values(&keys).await?;
        let torn = values.iter().position(|held| *held != values[0]);
        if let Some(n) = torn {
            let expected = format!("all {count} records of one batch, or none");
            let got =
                format!("{:?} under {}, {:?} under {}", values[0], keys[0], values[n], keys[n]);
            return Err(CaseError::mismatch(expected, got));
        }
        // An earlier batch that was dropped may take effect after a later one.
        ensure(
            !acknowledged || deletes || values[0].is_some(),
            "the records of an acknowledged batch",
            "none",
        )?;
        ensure_eq(
            "the other write",
            &Some(Value::from(value.as_str())),
            &store.value("other:1").await?,
        )?;
    }
    Ok(())
}

fn batch(store: &Store, round: usize) -> Batch {
    let number = store.up_to_max_batch(if store.has_atomic_batches() { 5 } else { 1 });
    let value = format!("value {round}");
    let writes =
        (0..number).map(|n| Write::put(key(&format!("unit:{n}")), value.clone().into_bytes()));
    Batch::atomic(writes.collect())
}

async fn write(context: &Context) -> CaseResult {
    let store = context.open().await?;
    // A write that was dropped must not leave a transaction open, in which later ones are hidden.
    let other = context.second_handle_if_any().await?;
    let keys: Vec<_> = batch(&store, 0).writes.into_iter().map(|write| write.key).collect();
    let mut acknowledged = 0;
    for round in 1..=3 * MANY_POLLS {
        let polls = round % MANY_POLLS;
        let done =
            poll_at_most(store.adapter.write(&store.space, &batch(&store, round)), polls).await;
        if let Some(outcomes) = done {
            ensure(
                OutcomeKind::all(&outcomes?).iter().all(|&kind| kind == OutcomeKind::Stored),
                "all stored",
                "something else",
            )?;
            acknowledged = round;
        }
        // The write may still take effect later, but never half of it.
        for _ in 0..3 {
            let values = store.values(&keys).await?;
            ensure(
                values.windows(2).all(|pair| pair[0] == pair[1]),
                "all of the batch, or nothing of it",
                format_args!("{values:?}"),
            )?;
            ensure(
                acknowledged == 0 || values[0].is_some(),
                "at least the acknowledged write",
                format_args!("{values:?}"),
            )?;
        }
        store.put("other:1", &round.to_string()).await?;
        if let Some(other) = &other {
            let seen = other.value("other:1").await?;
            let value = Some(Value::from(round.to_string().as_str()));
            ensure_eq("what another handle sees of a later write", &value, &seen)?;
        }
    }
    ensure(acknowledged > 0, "a write that completes within its polls", "none")
}

async fn write_beside_others(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:0", "from before").await?;
    for round in 0..MANY_POLLS {
        // A dropped write between two complete ones.
        let name = |n: i32| format!("card:{n}");
        let value = format!("value {round}");
        let first = store.clone();
        let (first_name, first_value) = (name(1), value.clone());
        let first = tokio::spawn(async move { first.put(&first_name, &first_value).await });
        let dropped = batch(&store, round);
        let _ = poll_at_most(store.adapter.write(&store.space, &dropped), round % 20).await;
        store.put(&name(2), &value).await?;
        first.await??;
        let read = store.value(&name(0)).await?;
        ensure_eq("the record from before", &Some(Value::from("from before")), &read)?;
        for n in [1, 2] {
            let read = store.value(&name(n)).await?;
            ensure_eq("the acknowledged value", &Some(Value::from(value.as_str())), &read)?;
        }
    }
    let expected = 3 + batch(&store, 0).writes.len();
    let found = store.scan_keys("", 3).await?.len();
    ensure(found == expected || found == 3, &format!("{expected} records"), found)
}

async fn reads(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<_> =
        (0..store.up_to_max_batch(200)).map(|n| key(&format!("card:{n:03}"))).collect();
    store.put_all(&keys, "there").await?;
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MAX };
    for polls in 0..MANY_POLLS {
        let _ = poll_at_most(store.adapter.multi_get(&store.space, &keys), polls).await;
        let _ = poll_at_most(store.adapter.scan(&store.space, &scan), polls).await;
        let _ = poll_at_most(store.adapter.spaces(), polls).await;
        let there = store.values(&keys).await?.into_iter().flatten().count();
        ensure_eq("all records after dropped reads", &keys.len(), &there)?;
        ensure_eq(
            "all keys after dropped reads",
            &keys.len(),
            &store.scan_keys("", 100).await?.len(),
        )?;
    }
    store.put("card:000", "changed").await?;
    ensure_eq("a put after dropped reads", &Some("changed".into()), &store.value("card:000").await?)
}

async fn flush(context: &Context) -> CaseResult {
    let store = context.open().await?;
    for polls in 0..MANY_POLLS {
        store.put("card:1", &polls.to_string()).await?;
        let _ = poll_at_most(store.adapter.flush(), polls).await;
        let expected = Some(Value::from(polls.to_string().as_str()));
        ensure_eq("what was written", &expected, &store.value("card:1").await?)?;
    }
    Ok(store.adapter.flush().await?)
}

async fn close(context: &Context) -> CaseResult {
    for polls in 0..20 {
        context.reset().await?;
        let store = context.open().await?;
        let durable = store.capabilities().durability != Durability::None;
        store.put("card:1", "one").await?;
        let _ = poll_at_most(store.adapter.close(), polls).await;
        // The store is open or closed now. Closing it again must succeed and lose nothing.
        store.close().await?;
        if durable {
            let store = context.open().await?;
            ensure_eq("what was written", &Some("one".into()), &store.value("card:1").await?)?;
            store.close().await?;
        }
    }
    Ok(())
}
