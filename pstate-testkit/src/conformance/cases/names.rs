//! Keys, prefixes and spaces at the edges of what stores tell apart.

use pstate_core::{Batch, Key, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::CaseResult;
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::shorthand::key;
use crate::conformance::store::Store;
use crate::conformance::world::World;

cases! { "names";
    every_prefix [Scans Name]: "Only records whose key starts with `prefix`, compared by bytes.",
    every_position [Scans Name]: "Only keys greater than `after`, which need not be there.",
    last_byte_of_a_key [Keys Name]: "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.",
    last_byte_of_a_space [Spaces Name]: "Nothing done in one space is seen in another.",
    spaces_beside_separators [Spaces Name]: "Nothing done in one space is seen in another.",
}

/// Ids that stores confuse: around the ends of UTF-8 lengths, of the surrogates and of Unicode, and
/// each character that separates, escapes or quotes, beside its neighbours in ASCII.
fn ids() -> Vec<String> {
    let edges = [
        '\u{7e}',
        '\u{a1}',
        '\u{a0}',
        '\u{7ff}',
        '\u{800}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{fdcf}',
        '\u{fffd}',
        '\u{10000}',
        '\u{1f980}',
        '\u{10fffd}',
        '\u{10ffff}',
    ];
    let mut ids = Vec::new();
    for edge in edges {
        ids.extend([
            edge.to_string(),
            format!("a{edge}"),
            format!("{edge}a"),
            format!("{edge}{edge}"),
        ]);
    }
    for character in ' '..='~' {
        ids.extend([format!("b{character}"), format!("b{character}c")]);
    }
    ids.extend(
        ["b%25", "b%2525", "b\\\\", "b\\x00", "b''", "b\"\"", "b::", "b:c:", "B", "b"]
            .map(str::to_owned),
    );
    ids
}

fn keys() -> Vec<Key> {
    let mut names: Vec<String> = ids().iter().map(|id| format!("card:{id}")).collect();
    // Types around the separator.
    for kind in ["car", "card0", "card9", "card_", "carda", "cards", "c", "d"] {
        names.extend([format!("{kind}:b"), format!("{kind}:\u{10ffff}")]);
    }
    let mut keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
    keys.sort();
    keys.dedup();
    keys
}

async fn fill(context: &Context) -> CaseResult<(Store, Vec<Key>)> {
    let store = context.open().await?.space("red");
    let keys = keys();
    for space in ["rec", "red-", "ree"] {
        store.space(space).put_all(&keys[..20], "{}").await?;
    }
    store.put_all(&keys, "{}").await?;
    Ok((store, keys))
}

async fn every_prefix(context: &Context) -> CaseResult {
    let (store, keys) = fill(context).await?;
    let mut prefixes: Vec<&str> = Vec::new();
    for key in &keys {
        let text = key.as_str();
        prefixes.extend(text.char_indices().map(|(at, _)| &text[..at]));
        prefixes.push(text);
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    for prefix in prefixes {
        let expected: Vec<_> = keys.iter().filter(|key| key.as_str().starts_with(prefix)).collect();
        // In one page, and, where there are few, one by one: so that each is the place where a
        // page begins.
        let limits = if expected.len() < 12 { &[1, 1_000][..] } else { &[1_000] };
        for &limit in limits {
            let found = store.scan(prefix, limit).await?;
            let found: Vec<_> = found.iter().map(|(key, _)| key).collect();
            let what = format!("the keys that begin with {prefix:?}, {limit} at a time");
            ensure_eq(&what, &expected, &found)?;
        }
    }
    Ok(())
}

async fn every_position(context: &Context) -> CaseResult {
    let (store, keys) = fill(context).await?;
    let positions =
        ["a:0", "card:!", "card:b:", "card:zz", "card9:a", "zz:z", "card:\u{10ffff}\u{10ffff}"];
    let positions: Vec<Key> = positions.iter().map(|name| key(name)).collect();
    for prefix in ["", "card", "card:", "card:b", "card:\u{10ffff}", "card:\u{d7ff}", "card_:", "e"]
    {
        for after in keys.iter().chain(&positions) {
            let expected: Vec<_> = keys
                .iter()
                .filter(|key| key.as_str().starts_with(prefix) && *key > after)
                .take(3)
                .map(ToString::to_string)
                .collect();
            let found = store.keys_after(prefix, after, 3).await?;
            let what = format!("the first keys that begin with {prefix:?} after {after}");
            ensure_eq(&what, &expected, &found)?;
        }
    }
    Ok(())
}

/// Keys of every length up to the longest that differ in their last byte.
async fn last_byte_of_a_key(context: &Context) -> CaseResult {
    let store = context.open().await?.space(&"s".repeat(64));
    let mut world = World::default();
    let kind = "t".repeat(64);
    for length in [15, 31, 63, 127, 254, 255, 256, 510, 511, 512] {
        let stem = "k".repeat(length - 1);
        let writes: Vec<_> = ["a", "b", "~"]
            .iter()
            .map(|last| Write::put(key(&format!("{kind}:{stem}{last}")), last.as_bytes()))
            .collect();
        for write in writes {
            world.write(&store, &Batch::each(vec![write])).await?;
        }
    }
    world.check_records(&store, "after the puts").await?;
    let gone: Vec<Key> = world
        .places()
        .map(|place| place.1.clone())
        .filter(|key| key.as_str().ends_with('a'))
        .collect();
    for key in gone {
        world.write(&store, &Batch::each(vec![Write::delete(key)])).await?;
    }
    world.check_records(&store, "after a delete of those that end in a").await
}

async fn last_byte_of_a_space(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let stem = "s".repeat(63);
    let spaces =
        [format!("{stem}a"), format!("{stem}b"), format!("{stem}-"), stem.clone(), "s".repeat(62)];
    check_apart(&store, &spaces).await
}

async fn spaces_beside_separators(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let spaces = [
        "a",
        "a-",
        "a_",
        "a0",
        "a9",
        "aa",
        "a-a",
        "a_a",
        "a-1",
        "b",
        "0",
        "00",
        "default-",
        "defaul",
        "meta",
        "records",
        "index",
        "sqlite_sequence",
        "pstate-sweeps",
        "con",
    ];
    check_apart(&store, &spaces.map(str::to_owned)).await
}

/// Writes the same keys, and those that a name would complete to another's, in each space; deletes
/// them in one after the other.
async fn check_apart(store: &Store, spaces: &[String]) -> CaseResult {
    let mut world = World::default();
    let names = ["card:1", "a:1", "a:a:1", "b:1", "card:\u{10ffff}"];
    for space in spaces {
        for name in names {
            let value = format!(r#"{{"in":"{space}","under":"{name}"}}"#).into_bytes();
            let write = Write::put(key(name), value);
            world.write(&store.space(space), &Batch::each(vec![write])).await?;
        }
    }
    world.check_records(store, "after the puts").await?;
    world.check_spaces(store, "after the puts").await?;
    if store.adapter.extensions().count_versions.is_some() {
        world.check_counts(store, "after the puts").await?;
    }
    for space in spaces {
        for name in names {
            let delete = Batch::each(vec![Write::delete(key(name))]);
            world.write(&store.space(space), &delete).await?;
        }
        let after = format!("after {space} was emptied");
        world.check_records(store, &after).await?;
        world.check_spaces(store, &after).await?;
    }
    Ok(())
}
