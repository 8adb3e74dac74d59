//! Changing records.

use pstate_core::{Batch, ErrorKind, Expect, Outcome, Revision, Write};

use crate::conformance::case::{Stop, cases, ensure, same};
use crate::conformance::test::{Came, Store, Test, came, key, put, put_if};
use crate::operation::Value;

cases! { "write";
    outcomes: "One outcome for each write, in their order.",
    visible: "Once a write has returned, every later call sees it, through any handle to the same store.",
    atomic(BatchAtomicity): "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:",
    atomic_conflict(BatchAtomicity): "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:",
    each: "every write succeeds, conflicts or fails for itself.",
    delete_absent: "Deleting what is absent succeeds",
    distinct_keys: "for a key that is there twice (nothing is written).",
    empty: "An empty batch does nothing.",
    many: "As many writes as [`max_batch`](Capabilities::max_batch) says are accepted, without it any number.",
    too_long(MaxValueLen): "A value longer than [`max_value_len`](Capabilities::max_value_len)",
    beyond_max_batch(MaxBatch): "More keys or writes than [`max_batch`](Capabilities::max_batch) are [`Unsupported`](crate::ErrorKind::Unsupported), and nothing is done.",
    beyond_atomicity(KeyAtomicity): "An atomic batch of more than one write is [`Unsupported`](crate::ErrorKind::Unsupported) with [`Atomicity::Key`], and nothing is done.",
}

async fn outcomes(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    store.put("card:2", "two").await?;
    store.put("card:3", "three").await?;
    let writes = [
        put("card:4", "four"),
        Write::delete(key("card:3")),
        put_if("card:2", "again", Expect::Absent),
        put("card:1", "one"),
    ];
    let expected = [Came::Stored, Came::Deleted, Came::Conflict, Came::Stored];
    let number = store.at_most(4);
    let written = store.write(&Batch::each(writes[..number].to_vec())).await?;
    same("the outcomes", &expected[..number].to_vec(), &came(&written))?;
    if let [Outcome::Stored(four), _, _, Outcome::Stored(one)] = written[..] {
        same("the revision of card:4", &store.stored("card:4").await?.revision, &four)?;
        same("the revision of card:1", &store.stored("card:1").await?.revision, &one)?;
    }
    Ok(())
}

async fn visible(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    for round in 0..50 {
        let value = format!("value {round}");
        store.put("card:1", &value).await?;
        let expected = Value::from(value.as_str());
        same("the value just written", &Some(expected.clone()), &store.value("card:1").await?)?;
        let scanned: Vec<_> = store
            .scan("card:", 5)
            .await?
            .into_iter()
            .map(|(_, record)| Value(record.bytes))
            .collect();
        same("the value just written, from a scan", &vec![expected], &scanned)?;
        if round % 10 == 9 {
            store.delete("card:1").await?;
            same("none after a delete", &None, &store.value("card:1").await?)?;
            same("no key after a delete", &Vec::new(), &store.scanned("", 5).await?)?;
        }
    }
    Ok(())
}

async fn atomic(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let two = store.put("card:2", "old").await?;
    store.put("card:3", "old").await?;
    let writes = [
        put_if("card:2", "new", Expect::Revision(two)),
        put_if("card:1", "new", Expect::Absent),
        Write::delete(key("card:3")),
        put("card:4", "new"),
    ];
    let number = store.at_most(4);
    let outcomes = store.write(&Batch::atomic(writes[..number].to_vec())).await?;
    let expected = [Came::Stored, Came::Stored, Came::Deleted, Came::Stored];
    same("the outcomes", &expected[..number].to_vec(), &came(&outcomes))?;
    let new = Some(Value::from("new"));
    let expected = [new.clone(), new.clone(), None, new];
    let keys = ["card:2", "card:1", "card:3", "card:4"].map(key);
    let read = store.values(&keys[..number]).await?;
    same("all of it done", &expected[..number].to_vec(), &read)
}

async fn atomic_conflict(test: &Test) -> Result<(), Stop> {
    let number = test.at_most(6);
    // Wherever the one that fails stands, what stands before and after it is not done.
    for failing in 0..number {
        test.renew().await?;
        let store = test.open().await?;
        let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
        for key in keys.iter().step_by(2) {
            store.put_bytes(key, b"old"[..].into()).await?;
        }
        let before = store.records(&keys).await?;
        let writes = keys.iter().enumerate().map(|(n, key)| {
            let expect = match (n == failing, n % 2) {
                (true, 0) => Expect::Absent,
                (true, _) => Expect::Revision(Revision::of_content(b"never")),
                (false, _) => Expect::Any,
            };
            let write =
                if n % 3 == 2 { Write::delete(key.clone()) } else { put(key.as_str(), "new") };
            write.expecting(expect)
        });
        let outcomes = store.write(&Batch::atomic(writes.collect())).await?;
        let mut expected = vec![Came::Aborted; number];
        expected[failing] = Came::Conflict;
        same("the outcomes", &expected, &came(&outcomes))?;
        same("nothing is done", &before, &store.records(&keys).await?)?;
        store.close().await?;
    }
    Ok(())
}

async fn each(test: &Test) -> Result<(), Stop> {
    let number = test.at_most(5);
    for failing in 0..number {
        test.renew().await?;
        let store = test.open().await?;
        let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
        store.put_all(&keys, "old").await?;
        let writes = keys.iter().enumerate().map(|(n, key)| {
            let expect = if n == failing { Expect::Absent } else { Expect::Any };
            put(key.as_str(), "new").expecting(expect)
        });
        let outcomes = store.write(&Batch::each(writes.collect())).await?;
        let expected: Vec<_> =
            (0..number).map(|n| if n == failing { Came::Conflict } else { Came::Stored }).collect();
        same("one conflict, the others stored", &expected, &came(&outcomes))?;
        let expected: Vec<_> = (0..number)
            .map(|n| Some(Value::from(if n == failing { "old" } else { "new" })))
            .collect();
        same("all but one changed", &expected, &store.values(&keys).await?)?;
        store.close().await?;
    }
    Ok(())
}

async fn delete_absent(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let gone = store.put("card:2", "gone").await?;
    store.delete("card:2").await?;
    for name in ["card:1", "card:2"] {
        for expect in [Expect::Any, Expect::Absent] {
            let outcome = store.write_one(Write::delete(key(name)).expecting(expect)).await?;
            same(
                &format!("deleting {name} under {expect:?}"),
                &Came::Deleted,
                &Came::from(&outcome),
            )?;
        }
        let write = Write::delete(key(name)).expecting(Expect::Revision(gone));
        let outcome = store.write_one(write).await?;
        same("deleting what is gone under a revision", &Came::Conflict, &Came::from(&outcome))?;
    }
    same("no record", &Vec::new(), &store.scanned("", 5).await?)
}

async fn distinct_keys(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    if store.at_most(3) < 3 {
        return Err(Stop::Ignored("a batch of three writes is more than its max_batch".to_owned()));
    }
    store.put("card:1", "old").await?;
    let writes = || vec![put("card:2", "new"), put("card:1", "new"), Write::delete(key("card:2"))];
    let mut batches = vec![Batch::each(writes())];
    if store.has_atomic_batches() {
        batches.push(Batch::atomic(writes()));
    }
    for batch in batches {
        refused(&store, &batch, ErrorKind::InvalidInput).await?;
        same("nothing written", &Some("old".into()), &store.value("card:1").await?)?;
        same("nothing written", &None, &store.value("card:2").await?)?;
    }
    Ok(())
}

/// Checks that a batch is refused as a whole, and with which kind of error.
async fn refused(store: &Store, batch: &Batch, kind: ErrorKind) -> Result<(), Stop> {
    match store.adapter.write(&store.space, batch).await {
        Err(error) => ensure(
            error.kind() == kind && !error.is_retryable(),
            &format!("an error of kind {kind:?} that is not to be retried"),
            format_args!("{:?}, retryable {}: {error}", error.kind(), error.is_retryable()),
        ),
        Ok(outcomes) => Err(Stop::broken(
            format_args!("an error of kind {kind:?}"),
            format_args!("{:?}", came(&outcomes)),
        )),
    }
}

async fn empty(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    store.put("card:1", "one").await?;
    for batch in [Batch::each(Vec::new()), Batch::atomic(Vec::new())] {
        same("no outcomes", &Vec::new(), &came(&store.write(&batch).await?))?;
    }
    same("what was there", &Some("one".into()), &store.value("card:1").await?)
}

async fn many(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let number = store.at_most(20_000);
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n:05}"))).collect();
    let puts = keys.iter().map(|key| Write::put(key.clone(), key.as_str().as_bytes())).collect();
    let batch = store.widest(puts);
    let outcomes = store.write(&batch).await?;
    let stored = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count();
    same("all stored", &number, &stored)?;
    let expected: Vec<_> = keys.iter().map(|key| Some(Value::from(key.as_str()))).collect();
    let read = store.values(&keys).await?;
    match (0..number).find(|&n| read[n] != expected[n]) {
        None => Ok(()),
        Some(n) => same(&format!("the value of {}", keys[n]), &expected[n], &read[n]),
    }
}

async fn too_long(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let max = store.capabilities().max_value_len.unwrap_or(usize::MAX);
    if max > 1 << 30 {
        return Err(Stop::Ignored(format!("values of {max} bytes are too long to try")));
    }
    let long = Write::put(key("card:2"), vec![b'x'; max + 1]);
    let writes = [put("card:1", "one"), long.clone(), put("card:3", "three")];
    let number = store.at_most(3);
    let outcomes = store.write(&Batch::each(writes[..number].to_vec())).await?;
    let expected =
        [Came::Stored, Came::Failed(ErrorKind::InvalidInput), Came::Stored][..number].to_vec();
    same("only the long one failed", &expected, &came(&outcomes))?;
    same("the long one is not there", &None, &store.value("card:2").await?)?;
    let batch = if store.has_atomic_batches() && number == 3 {
        Batch::atomic(vec![put("card:1", "new"), long, put("card:4", "new")])
    } else {
        Batch::atomic(vec![long])
    };
    refused(&store, &batch, ErrorKind::InvalidInput).await?;
    same("nothing of the batch", &Some("one".into()), &store.value("card:1").await?)?;
    same("nothing of the batch", &None, &store.value("card:2").await?)?;
    same("nothing of the batch", &None, &store.value("card:4").await?)?;
    if max <= 1 << 26 {
        store.put_bytes(&key("card:5"), vec![b'x'; max].into()).await?;
        let length = store.stored("card:5").await?.bytes.len();
        same("the longest value that is allowed", &max, &length)?;
    }
    Ok(())
}

async fn beyond_max_batch(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let number = store.at_most(usize::MAX) + 1;
    if number > 1_000_000 {
        return Err(Stop::Ignored(format!("{number} writes are too many to try")));
    }
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
    let puts = keys.iter().map(|key| Write::put(key.clone(), *b"{}")).collect();
    refused(&store, &Batch::each(puts), ErrorKind::Unsupported).await?;
    same("nothing written", &Vec::new(), &store.scanned("", 10).await?)?;
    match store.adapter.multi_get(&store.space, &keys).await {
        Err(error) => same("the kind of the error", &ErrorKind::Unsupported, &error.kind()),
        Ok(records) => Err(Stop::broken("an error", format_args!("{} records", records.len()))),
    }
}

async fn beyond_atomicity(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    if store.at_most(2) < 2 {
        return Err(Stop::Ignored("a batch of two writes is more than its max_batch".to_owned()));
    }
    let batch = Batch::atomic(vec![put("card:1", "one"), put("card:2", "two")]);
    refused(&store, &batch, ErrorKind::Unsupported).await?;
    same("nothing written", &Vec::new(), &store.scanned("", 10).await?)
}
