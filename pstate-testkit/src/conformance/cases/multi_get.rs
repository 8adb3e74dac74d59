//! Reading by key.

use crate::conformance::case::{Stop, cases, same};
use crate::conformance::test::{Test, key};
use crate::operation::Value;

cases! { "multi_get";
    positional: "The result has the length and the order of `keys`.",
    repeated: "A key may be asked for twice.",
    absent: "A missing record is `None`, never an error.",
    many: "As many keys as [`max_batch`](Capabilities::max_batch) says are accepted, without it any number.",
    none: "No keys give no records.",
}

async fn positional(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    for name in ["c", "a", "b"] {
        store.put(&format!("card:{name}"), name).await?;
    }
    let (a, b, c) = (Value::from("a"), Value::from("b"), Value::from("c"));
    let keys = ["card:b", "card:c", "card:a"].map(key);
    for keys in keys.chunks(store.at_most(3)) {
        let expected: Vec<_> = keys.iter().map(|key| Some(Value::from(key.id()))).collect();
        same("one record for each key, in their order", &expected, &store.values(keys).await?)?;
    }
    let keys = ["card:x", "card:c", "card:y", "card:b", "card:a", "card:z"].map(key);
    if store.at_most(6) == 6 {
        let expected = vec![None, Some(c), None, Some(b), Some(a), None];
        same("absent ones between", &expected, &store.values(&keys).await?)?;
    }
    Ok(())
}

async fn repeated(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    store.put("card:1", "one").await?;
    let keys = ["card:1", "card:2", "card:1", "card:2", "card:1"].map(key);
    let one = Some(Value::from("one"));
    let expected = [one.clone(), None, one.clone(), None, one];
    let number = store.at_most(5);
    same("each place answered", &expected[..number].to_vec(), &store.values(&keys[..number]).await?)
}

async fn absent(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    same("none in an empty store", &None, &store.value("card:1").await?)?;
    same("none in a space that nobody used", &None, &store.space("new").value("card:1").await?)?;
    store.put("card:1", "one").await?;
    same("none beside others", &None, &store.value("card:2").await?)?;
    store.delete("card:1").await?;
    same("none after a delete", &None, &store.value("card:1").await?)
}

async fn many(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    // More than SQLite has variables (32,766), and than fit a 16-bit count.
    let number = store.at_most(70_000);
    let there = [0, 1, number / 2, number - 1].map(|n| key(&format!("card:{n}")));
    store.put_all(&there, "there").await?;
    let keys: Vec<_> = (0..number).map(|n| key(&format!("card:{n}"))).collect();
    let values = store.values(&keys).await?;
    let found: Vec<_> = (0..number).filter(|&n| values[n].is_some()).collect();
    let mut expected = vec![0, 1, number / 2, number - 1];
    expected.dedup();
    expected.sort_unstable();
    expected.dedup();
    same(&format!("of {number} keys, those that are there"), &expected, &found)
}

async fn none(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    same("no records", &Vec::new(), &store.values(&[]).await?)
}
