//! Scans in key order.

use pstate_core::Key;

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::conformance::store::{Store, page_keys};
use crate::recording::Value;

cases! { "scan";
    order [Scans Name]: "Ascending byte order of the key.",
    prefix [Scans Name]: "Only records whose key starts with `prefix`, compared by bytes.",
    after [Scans Name]: "Only keys greater than `after`, which need not be there.",
    pages [Scans Simple]: "*Pages* joined by [`Page::next`] hold every matching record that was there throughout exactly once.",
    last_page [Scans Simple]: "A page may be shorter than its limit; only `next: None` means the end.",
    limit [Scans Size]: "A page holds at most `limit` records.",
    records [Scans Simple]: "The records of a page are what [`multi_get`](Self::multi_get) gives.",
    between_pages [Scans Overlap]: "Once a write has returned, every later call sees it, through any handle to the same store.",
    #[random] under_writes [Scans Overlap]: "*Pages* joined by [`Page::next`] hold every matching record that was there throughout exactly once.",
}

/// A store with a record under each key.
async fn store_with(context: &Context, keys: &[&str]) -> CaseResult<Store> {
    let store = context.open().await?;
    let keys: Vec<_> = keys.iter().map(|name| key(name)).collect();
    store.put_all(&keys, "{}").await?;
    Ok(store)
}

fn sorted(keys: &[&str]) -> Vec<String> {
    let mut keys: Vec<_> = keys.iter().map(|&key| key.to_owned()).collect();
    keys.sort();
    keys
}

async fn order(context: &Context) -> CaseResult {
    // In byte order: digits, upper case, lower case, accents; a key before its extensions; and
    // U+FFFD before U+10000, unlike in UTF-16.
    let keys = [
        "card:b",
        "card:a",
        "card:B",
        "card:A",
        "card:é",
        "card:z",
        "card:Z",
        "card:e",
        "card:10",
        "card:9",
        "card:1",
        "card:a b",
        "card:a-b",
        "card:a_b",
        "card:a!",
        "card:ab",
        "card:\u{fffd}",
        "card:\u{10000}",
        "card:\u{e000}",
        "card:日",
        "card:~",
        "card: ",
        "card:ä",
        "card:ö",
        "card:o",
        "card:a:",
        "card:a:b",
        "cards:a",
        "card_a:a",
        "car:a",
        "carda:a",
    ];
    let store = store_with(context, &keys).await?;
    ensure_eq(
        "the keys in the order of their bytes",
        &sorted(&keys),
        &store.scan_keys("", 100).await?,
    )?;
    ensure_eq("the same, in pages of 3", &sorted(&keys), &store.scan_keys("", 3).await?)
}

async fn prefix(context: &Context) -> CaseResult {
    let keys = [
        "base_card:1",
        "base_card:10",
        "base_card:2",
        "base_card:a%b",
        "base_card:a_b",
        "base_card:axb",
        "base_card:A",
        "base_card:é",
        "base_card:e\u{301}",
        "basexcard:1",
        "base_cards:1",
        "base:1",
        "card:1",
        "card:50%",
        "card:500",
        "card:*",
        "card:\u{10ffff}",
        "card:\u{10ffff}a",
        "carda:1",
        "card:a ",
        "card:a",
        "card:a  b",
    ];
    let store = store_with(context, &keys).await?;
    let prefixes = [
        "",
        "b",
        "base",
        "base_",
        "base_card",
        "base_card:",
        "base_card:1",
        "base_card:10",
        "base_card:100",
        "base_card:a",
        "base_card:a%",
        "base_card:a_",
        "base_card:A",
        "base_card:é",
        "base_card:e",
        "card:5",
        "card:50%",
        "card:%",
        "card:_",
        "card:*",
        "card:\u{10ffff}",
        "CARD:",
        "card",
        "card:a ",
        "d",
        "~",
        "\u{10ffff}",
        "%",
        "_",
        "no_such:",
        "card:a\u{0}",
        "card:\n",
    ];
    for prefix in prefixes {
        let mut expected = sorted(&keys);
        expected.retain(|key| key.starts_with(prefix));
        for limit in [2, 100] {
            let found = store.scan_keys(prefix, limit).await?;
            ensure_eq(&format!("the keys that begin with {prefix:?}"), &expected, &found)?;
        }
    }
    Ok(())
}

async fn after(context: &Context) -> CaseResult {
    let keys = ["a:1", "b:1", "b:2", "b:3", "c:1"];
    let store = store_with(context, &keys).await?;
    for prefix in ["", "b", "b:", "b:2", "x:"] {
        for after in ["a:0", "a:1", "a:2", "b:0", "b:1", "b:15", "b:2", "b:3", "b:4", "c:1", "d:1"]
        {
            let mut expected = sorted(&keys);
            expected.retain(|key| key.starts_with(prefix) && key.as_str() > after);
            let found = store.keys_after(prefix, &key(after), 100).await?;
            ensure_eq(
                &format!("the keys that begin with {prefix:?} after {after}"),
                &expected,
                &found,
            )?;
        }
    }
    Ok(())
}

async fn pages(context: &Context) -> CaseResult {
    let number = 23;
    let keys: Vec<String> = (0..number).map(|n| format!("card:{n:02}")).collect();
    let names: Vec<_> = keys.iter().map(String::as_str).collect();
    let mut all = names.clone();
    all.extend(["cara:1", "care:1"]);
    let store = store_with(context, &all).await?;
    for limit in [1, 2, 3, 5, 11, 12, 22, 23, 24, 100] {
        let found = store.scan_keys("card:", limit).await?;
        ensure_eq(&format!("every key once, in pages of {limit}"), &sorted(&names), &found)?;
    }
    Ok(())
}

async fn last_page(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let page = store.page("", None, 10).await?;
    ensure_eq("the end of an empty store", &None, &page.next)?;
    for number in 1..=12 {
        store.put(&format!("card:{number:02}"), "{}").await?;
        let found = store.scan_keys("card:", 4).await?.len();
        ensure_eq("the number of keys", &number, &found)?;
        let page = store.page("card:", Some(&key(&format!("card:{number:02}"))), 4).await?;
        ensure_eq("no record after the last", &Vec::new(), &page_keys(&page))?;
    }
    Ok(())
}

async fn limit(context: &Context) -> CaseResult {
    let keys: Vec<String> = (0..300).map(|n| format!("card:{n:03}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let store = store_with(context, &keys).await?;
    for limit in [1, 255, 256, 300, 65_536, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
        // `Store::page` checks each page against its limit.
        let found = store.scan_keys("card:", limit).await?;
        ensure_eq(&format!("all, with a limit of {limit}"), &sorted(&keys), &found)?;
    }
    Ok(())
}

async fn records(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<_> = (0..9).map(|n| key(&format!("card:{n}"))).collect();
    for (n, key) in keys.iter().enumerate() {
        let limit = store.capabilities().max_value_len.unwrap_or(usize::MAX);
        let value = "v".repeat((n * 1_000).min(limit));
        store.put_bytes(key, value.into_bytes().into()).await?;
    }
    for (key, scanned) in store.scan("", 4).await? {
        let read = store.existing(key.as_str()).await?;
        ensure_eq(&format!("the revision of {key}"), &read.revision, &scanned.revision)?;
        ensure_eq(&format!("the value of {key}"), &Value(read.bytes), &Value(scanned.bytes))?;
    }
    Ok(())
}

/// A page shows what was written after the page before it.
async fn between_pages(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let keys: Vec<Key> = (0..40).map(|n| key(&format!("card:{n:02}"))).collect();
    store.put_all(&keys, "before").await?;
    let page = store.page("", None, 10).await?;
    let next = page.next.ok_or_else(|| CaseError::mismatch("another page", "the end"))?;
    store.put("card:305", "new").await?;
    store.put("card:31", "after").await?;
    store.delete("card:32").await?;
    let mut expected: Vec<String> = (0..40).map(|n| format!("card:{n:02}")).collect();
    expected.retain(|name| name.as_str() > next.as_str() && name != "card:32");
    expected.push("card:305".to_owned());
    expected.sort();
    let found = store.keys_after("", &next, 100).await?;
    ensure_eq("the records on later pages", &expected, &found)?;
    let changed = store.page("card:31", None, 1).await?;
    let values: Vec<_> = changed.records.into_iter().map(|(_, it)| Value(it.bytes)).collect();
    ensure_eq("what was overwritten meanwhile", &vec![Value::from("after")], &values)
}

async fn under_writes(context: &Context) -> CaseResult {
    for seed in context.rounds(4) {
        context.reset().await?;
        let store = context.open().await?;
        let stable: Vec<Key> = (0..60).map(|n| key(&format!("card:{n:02}5"))).collect();
        store.put_all(&stable, "stable").await?;
        let writers: Vec<_> =
            (0..3).map(|writer| tokio::spawn(churn(store.clone(), seed + writer))).collect();
        let mut between = fastrand::Rng::with_seed(!seed);
        let (mut round, mut ended) = (0, false);
        while !ended {
            // Checked before the scan, so that at least one scan runs.
            ended = writers.iter().all(tokio::task::JoinHandle::is_finished);
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.page("card:", after.as_ref(), 1 + round % 7).await?;
                found.extend(page.records.into_iter().map(|(key, _)| key));
                // Changes records between pages, also where the next page begins.
                change(&store, &mut between).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            found.retain(|key| key.as_str().ends_with('5'));
            ensure_eq("every key that was there throughout, once", &stable, &found)?;
            round += 1;
        }
        for writer in writers {
            writer.await??;
        }
        store.close().await?;
    }
    Ok(())
}

async fn churn(store: Store, seed: u64) -> CaseResult {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..100 {
        change(&store, &mut random).await?;
    }
    Ok(())
}

/// Puts or deletes a record between the stable ones, or overwrites a stable one.
async fn change(store: &Store, random: &mut fastrand::Rng) -> CaseResult {
    let (n, last) = (random.u8(..60), random.u8(..10));
    let name = format!("card:{n:02}{last}");
    if last == 5 || random.bool() {
        store.put(&name, &random.u8(..).to_string()).await.map(drop)
    } else {
        store.delete(&name).await
    }
}
