//! Reopening, flushing and closing.

use std::num::NonZeroUsize;

use futures_util::future::join;
use pstate_core::{Batch, Durability, Error, ErrorKind, Expect, Revision, Scan, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;
use crate::recording::Value;

cases! { "lifecycle";
    constant [Closing Simple]: "A short, constant name",
    second_handle [Visibility Handle] (Durability): "Once a write has returned, every later call sees it, through any handle to the same store.",
    reopened [Durability Time] (Durability): "A store that is opened again holds what was acknowledged,",
    revisions_after_reopening [Revisions Time] (Durability): "A revision keeps its meaning when the store is opened again.",
    flush [Durability Simple]: "Returns when everything that was acknowledged before has reached the declared [`Durability`]'s medium.",
    closed [Closing Simple]: "Later calls, except `close`, fail with [`Unavailable`](crate::ErrorKind::Unavailable).",
    failure_is_not_absence [Errors Simple]: "A failure is an [`Error`], never `None`.",
    close_again [Closing Simple]: "closing again succeeds.",
    close_under_load [Closing Overlap]: "Flushes and releases what the adapter holds.",
}

async fn constant(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let (name, capabilities) = (store.adapter.name(), store.capabilities());
    let offered = |store: &Store| {
        let extensions = store.adapter.extensions();
        let (counts, feed) =
            (extensions.count_versions.is_some(), extensions.change_feed.is_some());
        (counts, feed, extensions.maintenance.is_some())
    };
    let extensions = offered(&store);
    ensure(!name.is_empty(), "a name", "an empty one")?;
    store.put("card:1", "one").await?;
    store.adapter.close().await?;
    ensure_eq("the name", &name, &store.adapter.name())?;
    ensure_eq("the capabilities", &capabilities, &store.capabilities())?;
    ensure_eq("the extensions of a closed store", &extensions, &offered(&store))?;
    let again = context.open().await?;
    ensure_eq("the name, opened again", &name, &again.adapter.name())?;
    ensure_eq("the capabilities, opened again", &capabilities, &again.capabilities())?;
    ensure_eq("the extensions, opened again", &extensions, &offered(&again))
}

async fn second_handle(context: &Context) -> CaseResult {
    let one = context.open().await?;
    let two = context.open_second_handle().await?;
    for round in 0..20 {
        let (writer, reader) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let value = format!("value {round}");
        ensure_eq("no record yet", &None, &reader.value("card:1").await?)?;
        let revision = writer.put("card:1", &value).await?;
        let read = reader.existing("card:1").await?;
        ensure_eq(
            "the value from the other handle",
            &Value::from(value.as_str()),
            &Value(read.bytes),
        )?;
        ensure_eq("its revision", &revision, &read.revision)?;
        let swap = put_if("card:1", "swapped", Expect::Revision(revision));
        let outcome = reader.write_one(swap).await?;
        ensure_eq(
            "a swap from the revision of the other handle",
            &OutcomeKind::Stored,
            &OutcomeKind::from(&outcome),
        )?;
        let swap = put_if("card:1", "lost", Expect::Revision(revision));
        let outcome = writer.write_one(swap).await?;
        ensure_eq(
            "a swap from an overwritten revision",
            &OutcomeKind::Conflict,
            &OutcomeKind::from(&outcome),
        )?;
        let keys = vec!["card:1".to_owned()];
        ensure_eq("the keys in the other handle", &keys, &writer.scan_keys("", 5).await?)?;
        writer.delete("card:1").await?;
        ensure_eq("no record in the other handle", &None, &reader.value("card:1").await?)?;
    }
    one.close().await?;
    two.put("card:2", "two").await?;
    ensure_eq(
        "the other handle after one is closed",
        &Some("two".into()),
        &two.value("card:2").await?,
    )
}

async fn reopened(context: &Context) -> CaseResult {
    let mut expected = Vec::new();
    for round in 0..5 {
        let store = context.open().await?;
        ensure_eq("the keys written before", &expected, &store.scan_keys("", 3).await?)?;
        for name in &expected {
            let value = Value::from(name.as_str());
            ensure_eq("its value", &Some(value), &store.value(name).await?)?;
        }
        for n in 0..4 {
            let name = format!("card:{n}{round}");
            store.put(&name, &name).await?;
            expected.push(name);
        }
        if round > 0 {
            let gone = format!("card:0{}", round - 1);
            store.delete(&gone).await?;
            expected.retain(|name| *name != gone);
        }
        expected.sort();
        store.space("other").put(&format!("card:{round}"), "other").await?;
        // Every other time without closing: acknowledged writes must survive that, too.
        if round % 2 == 0 {
            store.close().await?;
        }
    }
    let store = context.open().await?;
    ensure_eq("the keys written before", &expected, &store.scan_keys("", 3).await?)?;
    ensure_eq("the other space", &5, &store.space("other").scan_keys("", 3).await?.len())
}

async fn revisions_after_reopening(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let stale = store.put("card:1", "first").await?;
    let current = store.put("card:1", "second").await?;
    let mut issued = vec![stale, current];
    for n in 0..3 {
        issued.push(store.put("card:2", &format!("value {n}")).await?);
    }
    store.delete("card:2").await?;
    store.close().await?;

    let store = context.open().await?;
    ensure_eq("the revision", &current, &store.existing("card:1").await?.revision)?;
    for n in 0..8 {
        let revision: Revision = store.put("card:2", &format!("another {n}")).await?;
        ensure(
            !issued.contains(&revision),
            "revisions that were not issued before",
            format_args!("{revision:?} again"),
        )?;
        let swap = put_if("card:1", "lost", Expect::Revision(revision));
        let outcome = store.write_one(swap).await?;
        ensure_eq(
            "a swap from another key's revision",
            &OutcomeKind::Conflict,
            &OutcomeKind::from(&outcome),
        )?;
    }
    let outcome = store.write_one(put_if("card:1", "lost", Expect::Revision(stale))).await?;
    ensure_eq(
        "a swap from the stale revision",
        &OutcomeKind::Conflict,
        &OutcomeKind::from(&outcome),
    )?;
    let outcome = store.write_one(put_if("card:1", "third", Expect::Revision(current))).await?;
    ensure_eq(
        "a swap from the current revision",
        &OutcomeKind::Stored,
        &OutcomeKind::from(&outcome),
    )
}

async fn flush(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.adapter.flush().await?;
    store.put("card:1", "one").await?;
    store.adapter.flush().await?;
    store.adapter.flush().await?;
    ensure_eq("the written value", &Some("one".into()), &store.value("card:1").await?)?;
    store.put("card:1", "two").await?;
    ensure_eq(
        "the value written after the flush",
        &Some("two".into()),
        &store.value("card:1").await?,
    )
}

/// Calls every method but `close`, and returns their errors.
async fn errors(store: &Store) -> [(&'static str, Option<Error>); 6] {
    let (adapter, space) = (&store.adapter, &store.space);
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
    let batch = Batch::atomic(vec![put("card:1", "late")]);
    [
        ("multi_get", adapter.multi_get(space, &[key("card:1")]).await.err()),
        ("write", adapter.write(space, &batch).await.err()),
        ("write of nothing", adapter.write(space, &Batch::each(Vec::new())).await.err()),
        ("scan", adapter.scan(space, &scan).await.err()),
        ("spaces", adapter.spaces().await.err()),
        ("flush", adapter.flush().await.err()),
    ]
}

async fn closed(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "one").await?;
    store.adapter.close().await?;
    for (method, error) in errors(&store).await {
        let kind = error.map(|error| error.kind());
        ensure_eq(&format!("the error of {method}"), &Some(ErrorKind::Unavailable), &kind)?;
    }
    Ok(())
}

async fn failure_is_not_absence(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "one").await?;
    store.adapter.close().await?;
    match store.adapter.multi_get(&store.space, &[key("card:1")]).await {
        Err(_) => {}
        Ok(records) => {
            let got =
                format!("{} records: {:?}", records.len(), records.first().map(Option::is_some));
            return Err(CaseError::mismatch("an error from a closed store, not absence", got));
        }
    }
    let page = store.page("", None, 5).await;
    ensure(page.is_err(), "an error from a closed store, not an empty page", "a page")?;
    let spaces = store.adapter.spaces().await;
    ensure(spaces.is_err(), "an error from a closed store, not no spaces", "spaces")
}

async fn close_again(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "one").await?;
    let (one, two) = join(store.adapter.close(), store.adapter.close()).await;
    one.and(two)?;
    Ok(store.adapter.close().await?)
}

async fn close_under_load(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let durable = store.capabilities().durability != Durability::None;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let write =
                        Write::put(key(&format!("card:{writer}")), n.to_string().into_bytes());
                    // It may be under way when the store is closed, so any error will do.
                    let batch = Batch::each(vec![write]);
                    if store.adapter.write(&store.space, &batch).await.is_err() {
                        return n;
                    }
                }
                0
            })
        })
        .collect();
    while store.value("card:0").await?.is_none() {
        tokio::task::yield_now().await;
    }
    store.adapter.close().await?;
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.await?);
    }
    if !durable {
        return Ok(());
    }
    let store = context.open().await?;
    for (writer, &next) in acknowledged.iter().enumerate() {
        let value = store.value(&format!("card:{writer}")).await?;
        let read =
            value.as_ref().and_then(|value| std::str::from_utf8(&value.0).ok()?.parse().ok());
        // The failed write may have taken effect.
        let kept = read.map_or(next == 0, |read: i32| read + 1 == next || read == next);
        let expected = format!("{} or {next} under card:{writer}", next - 1);
        ensure(kept, &expected, format_args!("{value:?}"))?;
    }
    Ok(())
}
