//! Reads, scans, lists, counts and reports of many.

use futures_util::future::try_join_all;
use pstate_core::{Batch, Durability, Key, Write};

use super::batch::name;
use crate::conformance::case::{Case, Run};
use crate::conformance::case_error::CaseResult;
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::key;
use crate::conformance::sizes::{SIZES, is_long};
use crate::conformance::store::Store;
use crate::conformance::watcher::Watcher;
use crate::conformance::world::World;
use crate::recording::Value;

const POSITIONS: &str = "The result has the length and the order of `keys`.";
const REPEATED: &str = "A key may be asked for twice.";
const PAGES: &str = "*Pages* joined by [`Page::next`] hold every matching record that was there throughout exactly once.";
const LISTED: &str = "All spaces that hold at least one record, in ascending order.";
const COUNTED: &str = "What is counted is what a scan of the whole space gives.";
const REPORTED: &str = "The next call of every subscription reports what was written,";
const BESIDE: &str = "It also reports what other handles to the same store have written.";

/// Where changes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    SameHandle,
    OtherHandle,
    OtherProcess,
}

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add =
        |name: String,
         clause,
         promise,
         size: usize,
         run: Box<dyn for<'a> Fn(&'a Context) -> Run<'a> + Send + Sync>| {
            let case = Case::new(name, clause, &[promise], &[Dimension::Size], run);
            cases.push(case.long(is_long(size)));
        };
    for size in SIZES {
        add(
            format!("multi_get::positions_of_{size}_keys"),
            POSITIONS,
            Promise::Reads,
            size,
            Box::new(move |context| Box::pin(positions(context, size))),
        );
        add(
            format!("multi_get::{size}_keys_with_some_twice"),
            REPEATED,
            Promise::Reads,
            size,
            Box::new(move |context| Box::pin(some_twice(context, size))),
        );
        add(
            format!("scan::{size}_records"),
            PAGES,
            Promise::Scans,
            size,
            Box::new(move |context| Box::pin(scanned(context, size))),
        );
        add(
            format!("spaces::{size}_in_use"),
            LISTED,
            Promise::Spaces,
            size,
            Box::new(move |context| Box::pin(spaces(context, size))),
        );
        add(
            format!("counted::{size}_documents"),
            COUNTED,
            Promise::Counts,
            size,
            Box::new(move |context| Box::pin(counted(context, size, 3))),
        );
        add(
            format!("reported::{size}_changes_between_two_calls"),
            REPORTED,
            Promise::Changes,
            size,
            Box::new(move |context| Box::pin(reported(context, size, Source::SameHandle))),
        );
    }
    for types in [5, 65, 257] {
        add(
            format!("counted::{types}_types"),
            COUNTED,
            Promise::Counts,
            types,
            Box::new(move |context| Box::pin(counted(context, types, types))),
        );
    }
    for (size, source, from, dimension) in [
        (1_001, Source::OtherHandle, "handle", Dimension::Handle),
        (1_001, Source::OtherProcess, "process", Dimension::Process),
        (65_537, Source::OtherHandle, "handle", Dimension::Handle),
    ] {
        let name = format!("reported::{size}_changes_by_another_{from}");
        let dimensions = [Dimension::Size, dimension];
        let case = Case::new(name, BESIDE, &[Promise::Changes], &dimensions, move |context| {
            Box::pin(reported(context, size, source))
        });
        cases.push(case.requires(Requirement::Durability).long(is_long(size)));
    }
    cases
}

/// Puts as many records as are asked for; every third key stays absent if so wanted.
async fn fill(store: &Store, count: usize, leaves_gaps: bool) -> CaseResult<World> {
    let mut world = World::default();
    let writes: Vec<_> = (0..count)
        .map(|n| match n % 3 {
            2 if leaves_gaps => Write::delete(name(n)),
            _ => Write::put(name(n), format!(r#"{{"$v":1,"n":{n}}}"#).into_bytes()),
        })
        .collect();
    for writes in writes.chunks(store.up_to_max_batch(10_000)) {
        world.write(store, &Batch::each(writes.to_vec())).await?;
    }
    Ok(world)
}

/// Asks for these keys in one call, and checks the value at each position.
async fn check_positions(store: &Store, world: &World, keys: &[Key]) -> CaseResult {
    let values = store.values(keys).await?;
    for (n, (key, value)) in keys.iter().zip(values).enumerate() {
        let held = world.held(&store.space, key).map(|held| Value(held.bytes.clone()));
        if held != value {
            let what = format!("the record at position {n} of {}, {key}", keys.len());
            return ensure_eq(&what, &held, &value);
        }
    }
    Ok(())
}

async fn positions(context: &Context, size: usize) -> CaseResult {
    let count = context.size_of_batch(size)?;
    let store = context.open().await?.space("red");
    let world = fill(&store, count, true).await?;
    // An order that has nothing to do with that of the keys: the step has no divisor in common
    // with any size.
    let keys: Vec<_> = (0..count).map(|n| name(n * 7_919 % count)).collect();
    check_positions(&store, &world, &keys).await?;
    let backwards: Vec<_> = (0..count).rev().map(name).collect();
    check_positions(&store, &world, &backwards).await
}

async fn some_twice(context: &Context, size: usize) -> CaseResult {
    let count = context.size_of_batch(size)?;
    let store = context.open().await?.space("red");
    let world = fill(&store, count, true).await?;
    // The first key again at the end, and every seventh right after itself: so a key is there
    // twice in one part of the call, and in different parts.
    let repeated = (0..count - 1).map(|n| name(n - usize::from(n % 7 == 1)));
    let keys: Vec<_> = repeated.chain([name(0)]).collect();
    check_positions(&store, &world, &keys).await
}

async fn scanned(context: &Context, size: usize) -> CaseResult {
    let store = context.open().await?;
    let red = store.space("red");
    let world = fill(&red, size, false).await?;
    // Neighbours in the order of spaces, which a page must not run into.
    for (neighbour, id) in [("rec", "99999"), ("ree", "00000"), ("red-", "00000"), ("re", "1")] {
        store.space(neighbour).put(&format!("card:{id}"), "{}").await?;
    }
    let expected: Vec<Key> =
        world.places().filter(|place| place.2.is_some()).map(|place| place.1.clone()).collect();
    for prefix in ["", "card:", "deck"] {
        let expected: Vec<&Key> =
            expected.iter().filter(|key| key.as_str().starts_with(prefix)).collect();
        // Pages of one record less than there are, of as many, and of what limits are; pages of one
        // record only if there are few.
        let mut limits =
            vec![expected.len() - 1, expected.len(), expected.len() + 1, 1_000, 65_536, usize::MAX];
        limits.extend((size < 600).then_some(1));
        limits.extend((size < 2_000).then_some(100));
        for limit in limits {
            let found = red.scan(prefix, limit).await?;
            let found: Vec<&Key> = found.iter().map(|(key, _)| key).collect();
            let differs =
                (0..found.len().max(expected.len())).find(|&n| found.get(n) != expected.get(n));
            if let Some(n) = differs {
                let what = format!("record {n} of {}, in pages of {limit}", expected.len());
                return ensure_eq(&what, &expected.get(n), &found.get(n));
            }
        }
    }
    Ok(())
}

async fn spaces(context: &Context, size: usize) -> CaseResult {
    let store = context.open().await?;
    let mut world = World::default();
    let batch = Batch::each(vec![Write::put(key("card:1"), *b"{}")]);
    let handles: Vec<_> = (0..size).map(|n| store.space(&format!("space-{n:05}"))).collect();
    // Many at once, as their tenants would: one after the other would mostly wait for the disk.
    for handles in handles.chunks(256) {
        let writes = handles.iter().map(|store| store.write(&batch));
        for (store, outcomes) in handles.iter().zip(try_join_all(writes).await?) {
            world.apply(&store.space, &batch, &outcomes);
        }
    }
    world.check_spaces(&store, "after a put in each").await?;
    let delete = Batch::each(vec![Write::delete(key("card:1"))]);
    for n in [0, size / 2, size - 1] {
        world.write(&handles[n], &delete).await?;
    }
    world.check_spaces(&store, "after three were emptied").await?;
    // The first spaces, too: a store may keep a number of them open.
    world.every(97).check_records(&store, "after three were emptied").await?;
    if context.capabilities().durability == Durability::None {
        return Ok(());
    }
    store.close().await?;
    let reopened = context.open().await?;
    world.every(97).check_records(&reopened, "when reopened").await?;
    world.check_spaces(&reopened, "when reopened").await
}

/// Documents of so many types, in as many versions.
async fn counted(context: &Context, count: usize, types: usize) -> CaseResult {
    let store = context.open().await?.space("red");
    if store.adapter.extensions().count_versions.is_none() {
        return World::default().check_counts(&store, "at first").await;
    }
    let mut world = World::default();
    let put = |n: usize, version: usize| {
        let key = key(&format!("type_{}:{n}", n % types));
        Write::put(key, format!(r#"{{"$v":{version}}}"#).into_bytes())
    };
    let mut writes: Vec<_> = (0..count.max(types * 2)).map(|n| put(n, n % types % 70)).collect();
    // Versions that small numbers cannot hold.
    for (n, version) in [255, 256, 65_535, 65_536, u32::MAX as usize].into_iter().enumerate() {
        writes.push(put(1_000_000 + n, version));
    }
    for writes in writes.chunks(store.up_to_max_batch(10_000)) {
        world.write(&store, &Batch::each(writes.to_vec())).await?;
    }
    world.check_counts(&store, "after the puts").await?;
    let changes = [put(0, 9), put(1, 9), Write::delete(key(&format!("type_{}:2", 2 % types)))];
    for change in changes {
        world.write(&store, &Batch::atomic(vec![change])).await?;
    }
    world.check_counts(&store, "after two overwrites and a delete").await
}

async fn reported(context: &Context, size: usize, source: Source) -> CaseResult {
    let store = context.open().await?;
    let (writer, _peer) = match source {
        Source::SameHandle => (store.clone(), None),
        Source::OtherHandle => (context.open_second_handle().await?, None),
        Source::OtherProcess => {
            let peer = context.open_in_second_process().await?;
            (peer.store.clone(), Some(peer))
        }
    };
    let mut world = World::default();
    let mut watcher = Watcher::new(&store, &world).await?;
    for round in 0..2 {
        // In batches of a few hundred, in two spaces, each record several times.
        let changes: Vec<_> = (0..size)
            .map(|n| match (n + round) % 5 {
                4 => Write::delete(name(n % 5_000)),
                _ => Write::put(name(n % 5_000), format!(r#"{{"n":{n}}}"#).into_bytes()),
            })
            .collect();
        for (n, part) in changes.chunks(writer.up_to_max_batch(400)).enumerate() {
            let writer = writer.space(["red", "blue"][n % 2]);
            world.write(&writer, &Batch::each(part.to_vec())).await?;
        }
        watcher.check(&world, &format!("after {size} changes")).await?;
    }
    Ok(())
}
