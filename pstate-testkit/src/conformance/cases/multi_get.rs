//! Reads by key.

use crate::conformance::case::cases;
use crate::conformance::case_error::CaseResult;
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::recording::Value;

cases! { "multi_get";
    positional [Reads Simple]: "The result has the length and the order of `keys`.",
    repeated [Reads Simple]: "A key may be asked for twice.",
    absent [Reads Simple]: "A missing record is `None`, never an error.",
    many [Reads Size]: "As many keys as [`max_batch`](Capabilities::max_batch) says are accepted, without it any number.",
    none [Reads Simple]: "No keys give no records.",
}

async fn positional(context: &Context) -> CaseResult {
    let store = context.open().await?;
    for name in ["c", "a", "b"] {
        store.put(&format!("card:{name}"), name).await?;
    }
    let (a, b, c) = (Value::from("a"), Value::from("b"), Value::from("c"));
    let keys = ["card:b", "card:c", "card:a"].map(key);
    for keys in keys.chunks(store.up_to_max_batch(3)) {
        let expected: Vec<_> = keys.iter().map(|key| Some(Value::from(key.id()))).collect();
        ensure_eq(
            "one record for each key, in their order",
            &expected,
            &store.values(keys).await?,
        )?;
    }
    let keys = ["card:x", "card:c", "card:y", "card:b", "card:a", "card:z"].map(key);
    if store.up_to_max_batch(6) == 6 {
        let expected = vec![None, Some(c), None, Some(b), Some(a), None];
        ensure_eq("absent records between present ones", &expected, &store.values(&keys).await?)?;
    }
    Ok(())
}

async fn repeated(context: &Context) -> CaseResult {
    let store = context.open().await?;
    store.put("card:1", "one").await?;
    let keys = ["card:1", "card:2", "card:1", "card:2", "card:1"].map(key);
    let one = Some(Value::from("one"));
    let expected = [one.clone(), None, one.clone(), None, one];
    let number = store.up_to_max_batch(5);
    ensure_eq(
        "an answer at each position",
        &expected[..number].to_vec(),
        &store.values(&keys[..number]).await?,
    )
}

async fn absent(context: &Context) -> CaseResult {
    let store = context.open().await?;
    ensure_eq("none in an empty store", &None, &store.value("card:1").await?)?;
    ensure_eq("none in an unused space", &None, &store.space("new").value("card:1").await?)?;
    store.put("card:1", "one").await?;
    ensure_eq("none beside others", &None, &store.value("card:2").await?)?;
    store.delete("card:1").await?;
    ensure_eq("none after a delete", &None, &store.value("card:1").await?)
}

async fn many(context: &Context) -> CaseResult {
    let store = context.open().await?;
    // More than SQLite's limit of variables (32,766), and than a 16-bit count can hold.
    let number = store.up_to_max_batch(70_000);
    let mut there = vec![0, 1, number / 2, number - 1];
    there.retain(|&n| n < number);
    there.sort_unstable();
    there.dedup();
    let keys_there: Vec<_> = there.iter().map(|n| key(&format!("card:{n}"))).collect();
    store.put_all(&keys_there, "there").await?;
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
    let values = store.values(&keys).await?;
    let found: Vec<_> = (0..number).filter(|&n| values[n].is_some()).collect();
    ensure_eq(&format!("the present ones of {number} keys"), &there, &found)
}

async fn none(context: &Context) -> CaseResult {
    let store = context.open().await?;
    ensure_eq("no records", &Vec::new(), &store.values(&[]).await?)
}
