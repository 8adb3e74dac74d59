//! Writes.

use pstate_core::{Batch, ErrorKind, Expect, Outcome, Revision, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;
use crate::recording::Value;

cases! { "write";
    outcomes [Outcomes Write]: "One outcome for each write, in their order.",
    visible [Visibility Simple]: "Once a write has returned, every later call sees it, through any handle to the same store.",
    atomic [Atomicity Simple] (BatchAtomicity): "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:",
    atomic_conflict [Atomicity Write] (BatchAtomicity): "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:",
    each [Outcomes Write]: "every write succeeds, conflicts or fails for itself.",
    delete_absent [Outcomes Write]: "Deleting what is absent succeeds",
    distinct_keys [Errors Write]: "for a key that is there twice (nothing is written).",
    empty [Outcomes Simple]: "An empty batch does nothing.",
    many [Outcomes Size]: "As many writes as [`max_batch`](Capabilities::max_batch) says are accepted, without it any number.",
    too_long [Errors Size] (MaxValueLen): "A value longer than [`max_value_len`](Capabilities::max_value_len)",
    beyond_max_batch [Errors Size] (MaxBatch): "More keys or writes than [`max_batch`](Capabilities::max_batch) are [`Unsupported`](crate::ErrorKind::Unsupported), and nothing is done.",
    beyond_atomicity [Errors Write] (KeyAtomicity): "An atomic batch of more than one write is [`Unsupported`](crate::ErrorKind::Unsupported) with [`Atomicity::Key`], and nothing is done.",
}

async fn outcomes(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:2", "two").await?;
    store.put("card:3", "three").await?;
    let writes = [
        put("card:4", "four"),
        Write::delete(key("card:3")),
        put_if("card:2", "again", Expect::Absent),
        put("card:1", "one"),
    ];
    let expected =
        [OutcomeKind::Stored, OutcomeKind::Deleted, OutcomeKind::Conflict, OutcomeKind::Stored];
    let number = store.up_to_max_batch(4);
    let written = store.write(&Batch::each(writes[..number].to_vec())).await?;
    ensure_eq("the outcomes", &expected[..number].to_vec(), &OutcomeKind::all(&written))?;
    if let [Outcome::Stored(four), _, _, Outcome::Stored(one)] = written[..] {
        ensure_eq("the revision of card:4", &store.existing("card:4").await?.revision, &four)?;
        ensure_eq("the revision of card:1", &store.existing("card:1").await?.revision, &one)?;
    }
    Ok(())
}

async fn visible(context: &Context) -> CaseResult {
    let store = context.open().await?;
    for round in 0..50 {
        let value = format!("value {round}");
        store.put("card:1", &value).await?;
        let expected = Value::from(value.as_str());
        ensure_eq(
            "the value just written",
            &Some(expected.clone()),
            &store.value("card:1").await?,
        )?;
        let scanned: Vec<_> = store
            .scan("card:", 5)
            .await?
            .into_iter()
            .map(|(_, record)| Value(record.bytes))
            .collect();
        ensure_eq("the value just written, from a scan", &vec![expected], &scanned)?;
        if round % 10 == 9 {
            store.delete("card:1").await?;
            ensure_eq("none after a delete", &None, &store.value("card:1").await?)?;
            ensure_eq("no key after a delete", &Vec::new(), &store.scan_keys("", 5).await?)?;
        }
    }
    Ok(())
}

async fn atomic(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let two = store.put("card:2", "old").await?;
    store.put("card:3", "old").await?;
    let writes = [
        put_if("card:2", "new", Expect::Revision(two)),
        put_if("card:1", "new", Expect::Absent),
        Write::delete(key("card:3")),
        put("card:4", "new"),
    ];
    let number = store.up_to_max_batch(4);
    let outcomes = store.write(&Batch::atomic(writes[..number].to_vec())).await?;
    let expected =
        [OutcomeKind::Stored, OutcomeKind::Stored, OutcomeKind::Deleted, OutcomeKind::Stored];
    ensure_eq("the outcomes", &expected[..number].to_vec(), &OutcomeKind::all(&outcomes))?;
    let new = Some(Value::from("new"));
    let expected = [new.clone(), new.clone(), None, new];
    let keys = ["card:2", "card:1", "card:3", "card:4"].map(key);
    let read = store.values(&keys[..number]).await?;
    ensure_eq("the whole batch done", &expected[..number].to_vec(), &read)
}

async fn atomic_conflict(context: &Context) -> CaseResult {
    let number = context.up_to_max_batch(6);
    // The batch must not do the writes in front of the failing one, nor those after it.
    for failing in 0..number {
        context.reset().await?;
        let store = context.open().await?;
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
        let mut expected = vec![OutcomeKind::Aborted; number];
        expected[failing] = OutcomeKind::Conflict;
        ensure_eq("the outcomes", &expected, &OutcomeKind::all(&outcomes))?;
        ensure_eq("nothing is done", &before, &store.records(&keys).await?)?;
        store.close().await?;
    }
    Ok(())
}

async fn each(context: &Context) -> CaseResult {
    let number = context.up_to_max_batch(5);
    for failing in 0..number {
        context.reset().await?;
        let store = context.open().await?;
        let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
        store.put_all(&keys, "old").await?;
        let writes = keys.iter().enumerate().map(|(n, key)| {
            let expect = if n == failing { Expect::Absent } else { Expect::Any };
            put(key.as_str(), "new").expecting(expect)
        });
        let outcomes = store.write(&Batch::each(writes.collect())).await?;
        let expected: Vec<_> = (0..number)
            .map(|n| if n == failing { OutcomeKind::Conflict } else { OutcomeKind::Stored })
            .collect();
        ensure_eq("one conflict, the others stored", &expected, &OutcomeKind::all(&outcomes))?;
        let expected: Vec<_> = (0..number)
            .map(|n| Some(Value::from(if n == failing { "old" } else { "new" })))
            .collect();
        ensure_eq("all but one changed", &expected, &store.values(&keys).await?)?;
        store.close().await?;
    }
    Ok(())
}

async fn delete_absent(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let gone = store.put("card:2", "gone").await?;
    store.delete("card:2").await?;
    for name in ["card:1", "card:2"] {
        for expect in [Expect::Any, Expect::Absent] {
            let outcome = store.write_one(Write::delete(key(name)).expecting(expect)).await?;
            ensure_eq(
                &format!("deleting {name} under {expect:?}"),
                &OutcomeKind::Deleted,
                &OutcomeKind::from(&outcome),
            )?;
        }
        let write = Write::delete(key(name)).expecting(Expect::Revision(gone));
        let outcome = store.write_one(write).await?;
        ensure_eq(
            "deleting an absent record under a revision",
            &OutcomeKind::Conflict,
            &OutcomeKind::from(&outcome),
        )?;
    }
    ensure_eq("no record", &Vec::new(), &store.scan_keys("", 5).await?)
}

async fn distinct_keys(context: &Context) -> CaseResult {
    let store = context.open().await?;
    if store.up_to_max_batch(3) < 3 {
        return Err(CaseError::ignored("a batch of three writes is more than its max_batch"));
    }
    store.put("card:1", "old").await?;
    let writes = || vec![put("card:2", "new"), put("card:1", "new"), Write::delete(key("card:2"))];
    let mut batches = vec![Batch::each(writes())];
    if store.has_atomic_batches() {
        batches.push(Batch::atomic(writes()));
    }
    for batch in batches {
        ensure_refused(&store, &batch, ErrorKind::InvalidInput).await?;
        ensure_eq("nothing written", &Some("old".into()), &store.value("card:1").await?)?;
        ensure_eq("nothing written", &None, &store.value("card:2").await?)?;
    }
    Ok(())
}

/// Checks that the adapter refuses a batch as a whole, with this kind of error.
pub(super) async fn ensure_refused(store: &Store, batch: &Batch, kind: ErrorKind) -> CaseResult {
    match store.adapter.write(&store.space, batch).await {
        Err(error) => ensure(
            error.kind() == kind && !error.is_retryable(),
            &format!("an error of kind {kind:?} that is not retryable"),
            format_args!("{:?}, retryable {}: {error}", error.kind(), error.is_retryable()),
        ),
        Ok(outcomes) => Err(CaseError::mismatch(
            format_args!("an error of kind {kind:?}"),
            format_args!("{:?}", OutcomeKind::all(&outcomes)),
        )),
    }
}

async fn empty(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "one").await?;
    for batch in [Batch::each(Vec::new()), Batch::atomic(Vec::new())] {
        ensure_eq("no outcomes", &Vec::new(), &OutcomeKind::all(&store.write(&batch).await?))?;
    }
    ensure_eq("the record from before", &Some("one".into()), &store.value("card:1").await?)
}

async fn many(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let number = store.up_to_max_batch(20_000);
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n:05}"))).collect();
    let puts = keys.iter().map(|key| Write::put(key.clone(), key.as_str().as_bytes())).collect();
    let batch = store.widest_batch(puts);
    let outcomes = store.write(&batch).await?;
    let stored = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count();
    ensure_eq("all stored", &number, &stored)?;
    let expected: Vec<_> = keys.iter().map(|key| Some(Value::from(key.as_str()))).collect();
    let read = store.values(&keys).await?;
    match (0..number).find(|&n| read[n] != expected[n]) {
        None => Ok(()),
        Some(n) => ensure_eq(&format!("the value of {}", keys[n]), &expected[n], &read[n]),
    }
}

async fn too_long(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let max = store.capabilities().max_value_len.unwrap_or(usize::MAX);
    if max > 1 << 30 {
        return Err(CaseError::ignored(format!("values of {max} bytes are too long to try")));
    }
    let long = Write::put(key("card:2"), vec![b'x'; max + 1]);
    let writes = [put("card:1", "one"), long.clone(), put("card:3", "three")];
    let number = store.up_to_max_batch(3);
    let outcomes = store.write(&Batch::each(writes[..number].to_vec())).await?;
    let expected =
        [OutcomeKind::Stored, OutcomeKind::Failed(ErrorKind::InvalidInput), OutcomeKind::Stored]
            [..number]
            .to_vec();
    ensure_eq("only the long one failed", &expected, &OutcomeKind::all(&outcomes))?;
    ensure_eq("no record of the long value", &None, &store.value("card:2").await?)?;
    let batch = if store.has_atomic_batches() && number == 3 {
        Batch::atomic(vec![put("card:1", "new"), long, put("card:4", "new")])
    } else {
        Batch::atomic(vec![long])
    };
    ensure_refused(&store, &batch, ErrorKind::InvalidInput).await?;
    ensure_eq("nothing of the batch", &Some("one".into()), &store.value("card:1").await?)?;
    ensure_eq("nothing of the batch", &None, &store.value("card:2").await?)?;
    ensure_eq("nothing of the batch", &None, &store.value("card:4").await?)?;
    if max <= 1 << 26 {
        store.put_bytes(&key("card:5"), vec![b'x'; max].into()).await?;
        let length = store.existing("card:5").await?.bytes.len();
        ensure_eq("the longest value that is allowed", &max, &length)?;
    }
    Ok(())
}

async fn beyond_max_batch(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let number = store.up_to_max_batch(usize::MAX) + 1;
    if number > 1_000_000 {
        return Err(CaseError::ignored(format!("{number} writes are too many to try")));
    }
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
    let puts: Vec<_> = keys.iter().map(|key| Write::put(key.clone(), *b"{}")).collect();
    for batch in [Batch::each(puts.clone()), Batch::atomic(puts)] {
        ensure_refused(&store, &batch, ErrorKind::Unsupported).await?;
    }
    ensure_eq("nothing written", &Vec::new(), &store.scan_keys("", 10).await?)?;
    match store.adapter.multi_get(&store.space, &keys).await {
        Err(error) => ensure_eq("the kind of the error", &ErrorKind::Unsupported, &error.kind()),
        Ok(records) => {
            Err(CaseError::mismatch("an error", format_args!("{} records", records.len())))
        }
    }
}

async fn beyond_atomicity(context: &Context) -> CaseResult {
    let store = context.open().await?;
    if store.up_to_max_batch(2) < 2 {
        return Err(CaseError::ignored("a batch of two writes is more than its max_batch"));
    }
    let batch = Batch::atomic(vec![put("card:1", "one"), put("card:2", "two")]);
    ensure_refused(&store, &batch, ErrorKind::Unsupported).await?;
    ensure_eq("nothing written", &Vec::new(), &store.scan_keys("", 10).await?)
}
