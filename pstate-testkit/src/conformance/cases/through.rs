//! Odd values, keys, reads and scans through every handle, from every process, and at every time.

use std::sync::Arc;

use pstate_core::{Batch, Key, Write};

use crate::conformance::case::Case;
use crate::conformance::case_error::CaseResult;
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::place::{Place, Stage};
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::put;
use crate::conformance::store::Store;
use crate::conformance::world::World;
use crate::recording::Value;

const BYTES: &str = "What is read is what was written, byte for byte.";
const KEYS: &str =
    "no case folding, no Unicode normalisation, no trimming, no wildcards, no cutting.";
const POSITIONS: &str = "The result has the length and the order of `keys`.";
const PAGES: &str = "*Pages* joined by [`Page::next`] hold every matching record that was there throughout exactly once.";

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Values,
    Keys,
    Positions,
    Pages,
}

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (subject, name, clause, promise) in [
        (Subject::Values, "bytes::odd_values", BYTES, Promise::Bytes),
        (Subject::Keys, "keys::odd_keys", KEYS, Promise::Keys),
        (Subject::Positions, "multi_get::positions", POSITIONS, Promise::Reads),
        (Subject::Pages, "scan::pages", PAGES, Promise::Scans),
    ] {
        for place in Place::ALL {
            let name = format!("{name}_{}", place.name());
            let case = Case::new(name, clause, &[promise], &[place.dimension()], move |context| {
                Box::pin(look(context, subject, place))
            });
            cases.push(match place {
                Place::SameHandle => case,
                _ => case.requires(Requirement::Durability),
            });
        }
    }
    cases
}

fn odd_values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        b"\0\0\0".to_vec(),
        b" ".to_vec(),
        b"\n{}\n".to_vec(),
        "\u{feff}{}".into(),
        b"1.0".to_vec(),
        b"1e400".to_vec(),
        b"12345678901234567890123456789".to_vec(),
        b"\xff\xfe\x80".to_vec(),
        "\u{10ffff}\u{e9}e\u{301}".into(),
        br#"{"a":1,"a":2}"#.to_vec(),
        (0..=255).collect(),
    ];
    values.push([b"x".repeat(70_000), vec![0, 255]].concat());
    values.push((0..=1 << 20).map(|n: u32| n.to_le_bytes()[n as usize % 3]).collect());
    values
}

const ODD_IDS: [&str; 18] = [
    "a",
    "A",
    "a ",
    " a",
    "\u{e9}",
    "e\u{301}",
    "a%b",
    "a_b",
    "axb",
    "a*",
    "a\\b",
    "a'b",
    "a:b",
    "a::b",
    "a/b",
    "\u{10ffff}",
    "\u{e000}",
    "\u{1f980}",
];

/// Writes what the subject is about.
async fn write(store: &Store, world: &mut World, subject: Subject) -> CaseResult {
    let key = |kind: &str, id: &str| Key::new(kind, id).ok();
    let writes: Vec<Write> = match subject {
        Subject::Values => {
            let limit = store.capabilities().max_value_len.unwrap_or(usize::MAX);
            let values = odd_values().into_iter().filter(|value| value.len() <= limit).enumerate();
            let put_value = |(n, value): (usize, Vec<u8>)| {
                Some(Write::put(key("value", &n.to_string())?, value))
            };
            values.filter_map(put_value).collect()
        }
        Subject::Keys => {
            let longest = ["k".repeat(511) + "a", "k".repeat(511) + "b", "k".repeat(255)];
            let ids = ODD_IDS.into_iter().chain(longest.iter().map(String::as_str));
            let put_under =
                |id| Some(Write::put(key("card", id)?, format!("under {id}").into_bytes()));
            ids.filter_map(put_under).collect()
        }
        Subject::Positions | Subject::Pages => {
            let put_or_delete = |n: usize| {
                let name = key(["card", "deck", "cards"][n % 3], &format!("{:03}", n * 37 % 90))?;
                Some(if n % 10 == 9 {
                    Write::delete(name)
                } else {
                    Write::put(name, format!("{n}").into_bytes())
                })
            };
            (0..90).filter_map(put_or_delete).collect()
        }
    };
    for writes in writes.chunks(store.up_to_max_batch(20)) {
        world.write(store, &Batch::each(writes.to_vec())).await?;
    }
    Ok(())
}

async fn look(context: &Context, subject: Subject, place: Place) -> CaseResult {
    let first = context.open().await?;
    let mut world = World::default();
    let beside = Batch::each(vec![put("card:a", "blue")]);
    world.write(&first.space("blue"), &beside).await?;
    let stage = Stage::open(context, place, first).await?;
    write(&stage.writer.space("red"), &mut world, subject).await?;
    let (reader, _peer) = stage.into_reader(context).await?;
    world.check_records(&reader, &place.name().replace('_', " ")).await?;
    let red = reader.space("red");
    let keys: Vec<Key> =
        world.places().filter(|place| place.0 == &red.space).map(|place| place.1.clone()).collect();
    match subject {
        Subject::Positions => check_positions(&red, &world, &keys).await,
        Subject::Pages => check_pages(&red, &world, &keys).await,
        Subject::Values | Subject::Keys => Ok(()),
    }
}

/// Reads the keys from each position on, in both directions, with the first one at the end again.
async fn check_positions(store: &Store, world: &World, keys: &[Key]) -> CaseResult {
    for from in (0..keys.len()).step_by(7) {
        let mut asked: Vec<Key> = keys[from..].iter().chain(&keys[..=from]).cloned().collect();
        if from % 2 == 1 {
            asked.reverse();
        }
        for asked in asked.chunks(store.up_to_max_batch(asked.len())) {
            let held =
                |key| world.held(&store.space, key).map(|held| Value(Arc::clone(&held.bytes)));
            let expected: Vec<_> = asked.iter().map(held).collect();
            ensure_eq("the value at each position", &expected, &store.values(asked).await?)?;
        }
    }
    Ok(())
}

/// Pages of each size under each prefix, and the page after each key.
async fn check_pages(store: &Store, world: &World, keys: &[Key]) -> CaseResult {
    let there: Vec<&Key> =
        keys.iter().filter(|key| world.held(&store.space, key).is_some()).collect();
    for prefix in ["", "card", "card:", "cards:", "deck:0", "x"] {
        let expected: Vec<_> = there
            .iter()
            .filter(|key| key.as_str().starts_with(prefix))
            .map(ToString::to_string)
            .collect();
        for limit in [1, 7, expected.len().max(1), 1_000] {
            let what = format!("the keys that begin with {prefix:?}, in pages of {limit}");
            ensure_eq(&what, &expected, &store.scan_keys(prefix, limit).await?)?;
        }
        for after in keys.iter().step_by(5) {
            let found = store.keys_after(prefix, after, 1_000).await?;
            let mut expected = expected.clone();
            expected.retain(|key| key.as_str() > after.as_str());
            let what = format!("the keys that begin with {prefix:?} after {after}");
            ensure_eq(&what, &expected, &found)?;
        }
    }
    Ok(())
}
