//! Errors and damaged records.

use std::error::Error as _;

use pstate_core::{Batch, Error, ErrorKind, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::recording::Value;

cases! { "errors";
    hold_no_values [Errors Simple]: "Errors carry the key where one is to blame, and never contain values or credentials.",
    damage_is_local [Errors Simple]: "a record that cannot be read spoils neither others in a scan nor a later call.",
}

async fn hold_no_values(context: &Context) -> CaseResult {
    let secret = "correct horse battery staple";
    let store = context.open().await?;
    let write = || Write::put(key("card:1"), secret.as_bytes());
    let twice = Batch::each(vec![write(), write()]);
    let mut errors: Vec<Error> = Vec::new();
    if store.up_to_max_batch(2) == 2 {
        errors.extend(store.adapter.write(&store.space, &twice).await.err());
    }
    if let Some(max) = store.capabilities().max_value_len.filter(|&max| max < 1 << 26) {
        let long = Write::put(key("card:2"), secret.repeat(max / secret.len() + 1).into_bytes());
        errors.extend(store.adapter.write(&store.space, &Batch::atomic(vec![long])).await.err());
    }
    store.adapter.close().await?;
    errors.extend(store.adapter.write(&store.space, &Batch::atomic(vec![write()])).await.err());
    ensure(!errors.is_empty(), "an error from a closed store", "none")?;
    for error in errors {
        let mut shown = format!("{error} {error:?}");
        let mut source = error.source();
        while let Some(cause) = source {
            shown = format!("{shown} {cause} {cause:?}");
            source = cause.source();
        }
        ensure(!shown.contains("battery"), "an error without the value", shown)?;
    }
    Ok(())
}

async fn damage_is_local(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<_> = (0..9).map(|n| key(&format!("card:{n}"))).collect();
    store.put_all(&keys, "sound").await?;
    let (space, damaged) = (store.space.clone(), keys[4].clone());
    store.close().await?;
    if !context.harness.damage(&context.id(), &space, &damaged).await? {
        return Err(CaseError::ignored("its harness cannot damage a record"));
    }
    let store = context.open().await?;
    let sound: Vec<_> = keys.iter().filter(|key| **key != damaged).cloned().collect();
    for keys in sound.chunks(store.up_to_max_batch(100)) {
        let expected = vec![Some(Value::from("sound")); keys.len()];
        ensure_eq("the records beside the damaged one", &expected, &store.values(keys).await?)?;
    }
    let (mut found, mut unreadable, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = store.page("", after.as_ref(), 2).await?;
        found.extend(page.records.into_iter().map(|(key, _)| key));
        unreadable.extend(page.unreadable);
        match page.next {
            None => break,
            next => after = next,
        }
    }
    found.retain(|key| *key != damaged);
    ensure_eq("a scan that continues after the damaged record", &sound, &found)?;
    ensure(!unreadable.is_empty(), "the damaged record reported by the scan", "nothing")?;
    // A read returns an error or, if the damage hit the key, nothing; but never other bytes.
    match store.adapter.multi_get(&space, std::slice::from_ref(&damaged)).await {
        Err(error) => ensure_eq("the kind of error", &ErrorKind::Corrupt, &error.kind())?,
        Ok(records) => ensure_eq("a record", &vec![None], &records)?,
    }
    store.put(keys[0].as_str(), "written after").await?;
    let read = store.value(keys[0].as_str()).await?;
    ensure_eq("writes beside the damaged record", &Some("written after".into()), &read)
}
