//! Compare-and-swap, and the revisions that it compares.

use std::collections::HashMap;

use pstate_core::{Batch, Expect, Outcome, Revision, Write};

use crate::conformance::case::{Stop, cases, ensure, same};
use crate::conformance::test::{Came, Store, Test, came, key, put, put_if};
use crate::operation::Value;

cases! { "expect";
    absent: "Nothing is stored.",
    revision: "Exactly the record that had this revision is stored.",
    stale_revision: "Exactly the record that had this revision is stored.",
    deleted: "Exactly the record that had this revision is stored.",
    conflict_changes_nothing: "If an expectation does not hold, nothing was changed.",
    revision_is_read_back: "The revision of the outcome is the one that a later read returns.",
    revision_changes: "A revision changes whenever the stored bytes change.",
    revision_is_not_reused: "No revision stands for two different values of one key, not even after the record was deleted in between.",
}

/// What becomes of a write that is sent as one of several that stand for themselves.
async fn outcome(store: &Store, write: Write) -> Result<Came, Stop> {
    let outcomes = store.write(&Batch::each(vec![write])).await?;
    Ok(came(&outcomes)[0])
}

async fn absent(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let write = || put_if("card:1", "first", Expect::Absent);
    same("a put where nothing is", &Came::Stored, &outcome(&store, write()).await?)?;
    let again = put_if("card:1", "second", Expect::Absent);
    same("a put where something is", &Came::Conflict, &outcome(&store, again.clone()).await?)?;
    let alone = store.write_one(again).await?;
    same("the same, atomically", &Came::Conflict, &Came::from(&alone))?;
    let delete = Write::delete(key("card:1")).expecting(Expect::Absent);
    same("a delete where something is", &Came::Conflict, &outcome(&store, delete).await?)?;
    same("the first value", &Some("first".into()), &store.value("card:1").await?)?;
    store.delete("card:1").await?;
    same("a put after a delete", &Came::Stored, &outcome(&store, write()).await?)
}

async fn revision(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let first = store.put("card:1", "first").await?;
    let second = match store.write_one(put_if("card:1", "second", Expect::Revision(first))).await? {
        Outcome::Stored(revision) => revision,
        other => {
            return Err(Stop::broken("the put of the second value stored", Came::from(&other)));
        }
    };
    same("the second value", &Some("second".into()), &store.value("card:1").await?)?;
    let delete = Write::delete(key("card:1")).expecting(Expect::Revision(second));
    same("a delete of the second", &Came::Deleted, &outcome(&store, delete).await?)?;
    same("no value", &None, &store.value("card:1").await?)
}

async fn stale_revision(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let first = store.put("card:1", "first").await?;
    let other = store.put("card:2", "other").await?;
    store.put("card:1", "second").await?;
    for (what, stale) in [
        ("the revision before the last", first),
        ("another key's revision", other),
        ("a revision that was never given", Revision::from_number(u128::MAX - 7)),
    ] {
        for write in [put("card:1", "third"), Write::delete(key("card:1"))] {
            let write = write.expecting(Expect::Revision(stale));
            same(what, &Came::Conflict, &outcome(&store, write.clone()).await?)?;
            let alone = store.write_one(write).await?;
            same(&format!("{what}, atomically"), &Came::Conflict, &Came::from(&alone))?;
        }
    }
    same("the second value", &Some("second".into()), &store.value("card:1").await?)
}

async fn deleted(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let first = store.put("card:1", "first").await?;
    store.delete("card:1").await?;
    let write = put_if("card:1", "second", Expect::Revision(first));
    same("a put over what was deleted", &Came::Conflict, &outcome(&store, write).await?)?;
    let write = put_if("card:9", "second", Expect::Revision(first));
    same("a put over what never was", &Came::Conflict, &outcome(&store, write).await?)?;
    same("no record", &Vec::new(), &store.scanned("", 5).await?)
}

async fn conflict_changes_nothing(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    store.put("card:1", "first").await?;
    let before = store.stored("card:1").await?;
    for write in [put("card:1", "second"), Write::delete(key("card:1"))] {
        let write = write.expecting(Expect::Absent);
        same("the write", &Came::Conflict, &outcome(&store, write).await?)?;
        same("the record as it was", &before, &store.stored("card:1").await?)?;
    }
    let swap = put_if("card:1", "second", Expect::Revision(before.revision));
    same("a swap after conflicts", &Came::Stored, &outcome(&store, swap).await?)
}

async fn revision_is_read_back(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    for round in 0..20 {
        let name = format!("card:{}", round % 3);
        let written = store.put(&name, &format!("value {round}")).await?;
        same("the revision, read", &written, &store.stored(&name).await?.revision)?;
        same("the revision, read again", &written, &store.stored(&name).await?.revision)?;
        let scanned = store.scan(&name, 2).await?;
        let scanned: Vec<_> = scanned.into_iter().map(|(_, record)| record.revision).collect();
        same("the revision, scanned", &vec![written], &scanned)?;
    }
    Ok(())
}

async fn revision_changes(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    // Equal lengths, equal beginnings and equal ends: the bytes are what counts.
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

async fn revision_is_not_reused(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let mut given: HashMap<Revision, String> = HashMap::new();
    for round in 0..60 {
        let value = format!("value {round}");
        let revision = store.put("card:1", &value).await?;
        if let Some(earlier) = given.insert(revision, value.clone()) {
            return Err(Stop::broken(
                format_args!("another revision for {value:?} than {earlier:?} had"),
                format_args!("{revision:?}"),
            ));
        }
        match round % 4 {
            1 => store.delete("card:1").await?,
            // As empty as a new one.
            3 => {
                store.delete("card:1").await?;
                store.put("card:2", "other").await?;
                store.delete("card:2").await?;
            }
            _ => {}
        }
    }
    // Whoever holds an old revision must not overwrite what he has never seen.
    store.put("card:1", "last").await?;
    for &stale in given.keys() {
        let write = put_if("card:1", "lost", Expect::Revision(stale));
        same("a swap from an old revision", &Came::Conflict, &outcome(&store, write).await?)?;
    }
    same("the last value", &Some(Value::from("last")), &store.value("card:1").await?)
}
