//! Compare-and-swap, and the revisions that it compares.

use std::collections::HashMap;

use pstate_core::{Batch, Expect, Outcome, Revision, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;
use crate::recording::Value;

cases! { "expect";
    absent [Expectations Write]: "Nothing is stored.",
    revision [Expectations Simple]: "Exactly the record that had this revision is stored.",
    stale_revision [Expectations Write]: "Exactly the record that had this revision is stored.",
    deleted [Expectations Write]: "Exactly the record that had this revision is stored.",
    conflict_changes_nothing [Expectations Write]: "If an expectation does not hold, nothing was changed.",
    revision_is_read_back [Revisions Simple]: "The revision of the outcome is the one that a later read returns.",
    revision_changes [Revisions Simple]: "A revision changes whenever the stored bytes change.",
    revision_is_not_reused [Revisions Write]: "No revision stands for two different values of one key, not even after the record was deleted in between.",
}

/// Writes a batch of one write in mode each.
async fn outcome(store: &Store, write: Write) -> CaseResult<OutcomeKind> {
    let outcomes = store.write(&Batch::each(vec![write])).await?;
    Ok(OutcomeKind::all(&outcomes)[0])
}

async fn absent(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let write = || put_if("card:1", "first", Expect::Absent);
    ensure_eq("a put of an absent record", &OutcomeKind::Stored, &outcome(&store, write()).await?)?;
    let again = put_if("card:1", "second", Expect::Absent);
    ensure_eq(
        "a put of a present record",
        &OutcomeKind::Conflict,
        &outcome(&store, again.clone()).await?,
    )?;
    let alone = store.write_one(again).await?;
    ensure_eq("the same, atomically", &OutcomeKind::Conflict, &OutcomeKind::from(&alone))?;
    let delete = Write::delete(key("card:1")).expecting(Expect::Absent);
    ensure_eq(
        "a delete of a present record",
        &OutcomeKind::Conflict,
        &outcome(&store, delete).await?,
    )?;
    ensure_eq("the first value", &Some("first".into()), &store.value("card:1").await?)?;
    store.delete("card:1").await?;
    ensure_eq("a put after a delete", &OutcomeKind::Stored, &outcome(&store, write()).await?)
}

async fn revision(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let first = store.put("card:1", "first").await?;
    let second = match store.write_one(put_if("card:1", "second", Expect::Revision(first))).await? {
        Outcome::Stored(revision) => revision,
        other => {
            return Err(CaseError::mismatch(
                "the put of the second value stored",
                OutcomeKind::from(&other),
            ));
        }
    };
    ensure_eq("the second value", &Some("second".into()), &store.value("card:1").await?)?;
    let delete = Write::delete(key("card:1")).expecting(Expect::Revision(second));
    ensure_eq("a delete of the second", &OutcomeKind::Deleted, &outcome(&store, delete).await?)?;
    ensure_eq("no value", &None, &store.value("card:1").await?)
}

async fn stale_revision(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let first = store.put("card:1", "first").await?;
    let other = store.put("card:2", "other").await?;
    let current = store.put("card:1", "second").await?.as_number();
    // Numbers that are the current one if some of their bits are lost.
    let near = [32, 53, 63, 64, 127].map(|bit| Revision::from_number(current ^ (1 << bit)));
    let near = near.map(|stale| ("a revision that differs in one bit", stale));
    for (what, stale) in near.into_iter().chain([
        ("the revision before the last", first),
        ("another key's revision", other),
        ("a revision that was never issued", Revision::from_number(u128::MAX - 7)),
    ]) {
        for write in [put("card:1", "third"), Write::delete(key("card:1"))] {
            let write = write.expecting(Expect::Revision(stale));
            ensure_eq(what, &OutcomeKind::Conflict, &outcome(&store, write.clone()).await?)?;
            let alone = store.write_one(write).await?;
            ensure_eq(
                &format!("{what}, atomically"),
                &OutcomeKind::Conflict,
                &OutcomeKind::from(&alone),
            )?;
        }
    }
    ensure_eq("the second value", &Some("second".into()), &store.value("card:1").await?)
}

async fn deleted(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let first = store.put("card:1", "first").await?;
    store.delete("card:1").await?;
    let write = put_if("card:1", "second", Expect::Revision(first));
    ensure_eq("a put of a deleted record", &OutcomeKind::Conflict, &outcome(&store, write).await?)?;
    // Numbers that could stand for absence.
    let numbers = [0, 1, u128::MAX].map(Revision::from_number);
    for revision in numbers.into_iter().chain([first]) {
        for write in [put("card:9", "second"), Write::delete(key("card:9"))] {
            let write = write.expecting(Expect::Revision(revision));
            ensure_eq(
                "a write of a record that never existed",
                &OutcomeKind::Conflict,
                &outcome(&store, write.clone()).await?,
            )?;
            let alone = store.write_one(write).await?;
            let what = "the same, atomically";
            ensure_eq(what, &OutcomeKind::Conflict, &OutcomeKind::from(&alone))?;
        }
    }
    ensure_eq("no record", &Vec::new(), &store.scan_keys("", 5).await?)
}

async fn conflict_changes_nothing(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "first").await?;
    let before = store.existing("card:1").await?;
    for write in [put("card:1", "second"), Write::delete(key("card:1"))] {
        let write = write.expecting(Expect::Absent);
        ensure_eq("the write", &OutcomeKind::Conflict, &outcome(&store, write).await?)?;
        ensure_eq("the record as it was", &before, &store.existing("card:1").await?)?;
    }
    let swap = put_if("card:1", "second", Expect::Revision(before.revision));
    ensure_eq("a swap after conflicts", &OutcomeKind::Stored, &outcome(&store, swap).await?)
}

async fn revision_is_read_back(context: &Context) -> CaseResult {
    let store = context.open().await?;
    for round in 0..20 {
        let name = format!("card:{}", round % 3);
        let written = store.put(&name, &format!("value {round}")).await?;
        ensure_eq("the revision, read", &written, &store.existing(&name).await?.revision)?;
        ensure_eq("the revision, read again", &written, &store.existing(&name).await?.revision)?;
        let scanned = store.scan(&name, 2).await?;
        let scanned: Vec<_> = scanned.into_iter().map(|(_, record)| record.revision).collect();
        ensure_eq("the revision, scanned", &vec![written], &scanned)?;
    }
    Ok(())
}

async fn revision_changes(context: &Context) -> CaseResult {
    let store = context.open().await?;
    // Equal lengths, prefixes and suffixes, which weak digests confuse.
    let values = ["aaaa", "aaab", "baaa", "abaa", "", " ", "{}", "{ }", "1", "1.0"];
    for (n, before) in values.iter().enumerate() {
        for after in &values[n + 1..] {
            let first = store.put("card:1", before).await?;
            let second = store.put("card:1", after).await?;
            ensure(
                first != second,
                &format!("other revisions for {before:?} and {after:?}"),
                format_args!("{first:?} for both"),
            )?;
        }
    }
    Ok(())
}

async fn revision_is_not_reused(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let mut issued: HashMap<Revision, String> = HashMap::new();
    for round in 0..60 {
        let value = format!("value {round}");
        let revision = store.put("card:1", &value).await?;
        if let Some(earlier) = issued.insert(revision, value.clone()) {
            return Err(CaseError::mismatch(
                format_args!("another revision for {value:?} than {earlier:?} had"),
                format_args!("{revision:?}"),
            ));
        }
        match round % 4 {
            1 => store.delete("card:1").await?,
            // The store is as empty as a new one.
            3 => {
                store.delete("card:1").await?;
                store.put("card:2", "other").await?;
                store.delete("card:2").await?;
            }
            _ => {}
        }
    }
    // A client with an old revision must not overwrite a value that it has never read.
    store.put("card:1", "last").await?;
    for &stale in issued.keys() {
        let write = put_if("card:1", "lost", Expect::Revision(stale));
        ensure_eq(
            "a swap from an old revision",
            &OutcomeKind::Conflict,
            &outcome(&store, write).await?,
        )?;
    }
    ensure_eq("the last value", &Some(Value::from("last")), &store.value("card:1").await?)
}
