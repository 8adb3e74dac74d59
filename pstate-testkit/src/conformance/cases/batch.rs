//! Batches of each size, mode and content.

use std::sync::Arc;

use pstate_core::{Batch, Durability, ErrorKind, Expect, Key, Outcome, Revision, Write};

use super::write::ensure_refused;
use crate::conformance::case::Case;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::key;
use crate::conformance::sizes::{SIZES, is_long};
use crate::conformance::store::Store;
use crate::conformance::watcher::Watcher;
use crate::conformance::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Each,
    Atomic,
}

/// What the writes of a batch do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Creations,
    Overwrites,
    Unchanged,
    Deletes,
    /// One after the other: put, overwrite, delete, create, swap, delete of a revision.
    Mixed,
    /// As mixed, with a conflict at one place.
    ConflictAtTheFirst,
    ConflictInTheMiddle,
    ConflictAtTheLast,
    /// As mixed, with a conflict at every third place.
    Conflicts,
    /// As mixed, and the last key is that of the first write.
    KeyTwice,
    /// As mixed, and the last value is too long.
    ValueTooLong,
}

const ONE_EACH: &str = "every write succeeds, conflicts or fails for itself.";
const ALL_OR_NOTHING: &str =
    "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:";
const DISTINCT: &str = "for a key that is there twice (nothing is written).";
const TOO_LONG: &str = "A value longer than [`max_value_len`](Capabilities::max_value_len)";

impl Content {
    const ALL: [Self; 11] = [
        Self::Creations,
        Self::Overwrites,
        Self::Unchanged,
        Self::Deletes,
        Self::Mixed,
        Self::ConflictAtTheFirst,
        Self::ConflictInTheMiddle,
        Self::ConflictAtTheLast,
        Self::Conflicts,
        Self::KeyTwice,
        Self::ValueTooLong,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Creations => "creations",
            Self::Overwrites => "overwrites",
            Self::Unchanged => "unchanged_values",
            Self::Deletes => "deletes",
            Self::Mixed => "mixed_writes",
            Self::ConflictAtTheFirst => "writes_with_a_conflict_at_the_first",
            Self::ConflictInTheMiddle => "writes_with_a_conflict_in_the_middle",
            Self::ConflictAtTheLast => "writes_with_a_conflict_at_the_last",
            Self::Conflicts => "writes_with_many_conflicts",
            Self::KeyTwice => "writes_with_a_key_twice",
            Self::ValueTooLong => "writes_with_a_value_too_long",
        }
    }

    /// Whether it is tried with so many writes that it takes long.
    fn is_tried_at(self, size: usize) -> bool {
        !is_long(size) || matches!(self, Self::Mixed | Self::ConflictAtTheLast | Self::KeyTwice)
    }

    fn clause(self, mode: Mode) -> (&'static str, Promise) {
        match (self, mode) {
            (Self::KeyTwice, _) => (DISTINCT, Promise::Errors),
            (Self::ValueTooLong, _) => (TOO_LONG, Promise::Errors),
            (_, Mode::Atomic) => (ALL_OR_NOTHING, Promise::Atomicity),
            (_, Mode::Each) => (ONE_EACH, Promise::Outcomes),
        }
    }

    fn conflicts_at(self, n: usize, count: usize) -> bool {
        match self {
            Self::ConflictAtTheFirst => n == 0,
            Self::ConflictInTheMiddle => n == count / 2,
            Self::ConflictAtTheLast => n == count - 1,
            Self::Conflicts => n % 3 == 1,
            _ => false,
        }
    }
}

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in SIZES {
        for mode in [Mode::Each, Mode::Atomic] {
            for content in Content::ALL.into_iter().filter(|content| content.is_tried_at(size)) {
                cases.push(case(mode, content, size));
            }
        }
        cases.push(killed(size));
        cases.push(killed_during(size));
    }
    cases
}

fn case(mode: Mode, content: Content, size: usize) -> Case {
    let (clause, promise) = content.clause(mode);
    let of = if mode == Mode::Each { "each" } else { "atomic" };
    let name = format!("batch::{of}_of_{size}_{}", content.name());
    let mut promises = vec![promise];
    if content.conflicts_at(1, 3) || content.conflicts_at(0, 1) {
        promises.push(Promise::Expectations);
    }
    let dimensions = [Dimension::Size, Dimension::Write];
    let case = Case::new(name, clause, &promises, &dimensions, move |context| {
        Box::pin(write(context, mode, content, size))
    });
    let case = case.long(is_long(size));
    let case = if content == Content::ValueTooLong {
        case.requires(Requirement::MaxValueLen)
    } else {
        case
    };
    if mode == Mode::Atomic { case.requires(Requirement::BatchAtomicity) } else { case }
}

pub(super) fn name(n: usize) -> Key {
    key(&format!("{}:{n:05}", ["card", "deck"][n % 2]))
}

fn document(version: usize, n: usize) -> Vec<u8> {
    format!(r#"{{"$v":{version},"n":{n}}}"#).into_bytes()
}

/// Puts the records that a batch of this content finds.
async fn fill(store: &Store, world: &mut World, content: Content, count: usize) -> CaseResult {
    let is_there = |n: &usize| match content {
        Content::Creations => false,
        Content::Overwrites | Content::Unchanged => true,
        Content::Deletes => n.is_multiple_of(2),
        // Those that a mixed batch does not create.
        _ => ![0, 3].contains(&(n % 6)) || content.conflicts_at(*n, count),
    };
    let puts: Vec<_> =
        (0..count).filter(is_there).map(|n| Write::put(name(n), document(1, n))).collect();
    for puts in puts.chunks(store.up_to_max_batch(10_000)) {
        world.write(store, &Batch::each(puts.to_vec())).await?;
    }
    Ok(())
}

fn writes(store: &Store, world: &World, content: Content, count: usize) -> Vec<Write> {
    let write = |n: usize| {
        let put = || Write::put(name(n), document(2, n));
        let held = world.held(&store.space, &name(n));
        let current = held.map_or(Expect::Absent, |held| Expect::Revision(held.revision));
        match content {
            Content::Creations => put().expecting(Expect::Absent),
            Content::Overwrites => put(),
            Content::Unchanged => Write::put(name(n), document(1, n)),
            Content::Deletes => Write::delete(name(n)),
            _ if content.conflicts_at(n, count) && n.is_multiple_of(2) => {
                put().expecting(Expect::Absent)
            }
            _ if content.conflicts_at(n, count) => {
                put().expecting(Expect::Revision(Revision::of_content(b"never")))
            }
            _ => match n % 6 {
                0 | 1 => put(),
                2 => Write::delete(name(n)),
                3 => put().expecting(Expect::Absent),
                4 => put().expecting(current),
                _ => Write::delete(name(n)).expecting(current),
            },
        }
    };
    (0..count).map(write).collect()
}

async fn write(context: &Context, mode: Mode, contents: Content, size: usize) -> CaseResult {
    let count = context.size_of_batch(size)?;
    let store = context.open().await?.space("red");
    let mut world = World::default();
    fill(&store, &mut world, contents, count).await?;
    let mut watcher = match store.adapter.extensions().change_feed {
        Some(_) => Some(Watcher::new(&store, &world).await?),
        None => None,
    };
    let mut writes = writes(&store, &world, contents, count);
    match contents {
        Content::KeyTwice => {
            writes[count - 1].key = writes[0].key.clone();
            let batch = mode.batch(writes);
            ensure_refused(&store, &batch, ErrorKind::InvalidInput).await?;
        }
        Content::ValueTooLong => {
            let Some(max) = context.capabilities().max_value_len.filter(|&max| max < 1 << 26)
            else {
                return Err(CaseError::ignored("its longest values are too long to try"));
            };
            let long = Write::put(name(count), vec![b'x'; max + 1]);
            if mode == Mode::Atomic {
                writes[count - 1] = long;
                let batch = mode.batch(writes);
                ensure_refused(&store, &batch, ErrorKind::InvalidInput).await?;
            } else {
                let last = writes.pop();
                let mut with_long = writes.clone();
                with_long.push(long);
                let mut outcomes = store.write(&Batch::each(with_long)).await?;
                let failed = outcomes.pop();
                let kind = failed.as_ref().and_then(|outcome| match outcome {
                    Outcome::Failed(error) => Some(error.kind()),
                    _ => None,
                });
                let invalid = Some(ErrorKind::InvalidInput);
                ensure_eq("the error of the last of the writes", &invalid, &kind)?;
                world.apply(&store.space, &Batch::each(writes), &outcomes);
                world.write(&store, &Batch::each(last.into_iter().collect())).await?;
            }
        }
        _ => world.write(&store, &mode.batch(writes)).await?,
    }
    world.check_records(&store, "after the batch").await?;
    if let Some(watcher) = &mut watcher {
        watcher.check(&world, "after the batch").await?;
    }
    if store.adapter.extensions().count_versions.is_some() {
        world.check_counts(&store, "after the batch").await?;
    }
    if context.capabilities().durability == Durability::None {
        return Ok(());
    }
    if let Some(other) = context.second_handle_if_any().await? {
        world.check_records(&other, "in a second handle").await?;
        other.close().await?;
    }
    store.close().await?;
    world.check_records(&context.open().await?, "when reopened").await
}

impl Mode {
    fn batch(self, writes: Vec<Write>) -> Batch {
        match self {
            Self::Each => Batch::each(writes),
            Self::Atomic => Batch::atomic(writes),
        }
    }
}

const KILLED: &str = "The end of the process, also by a kill, takes nothing that was acknowledged and leaves no half of a batch,";

fn killed(size: usize) -> Case {
    let promises = [Promise::Durability, Promise::Atomicity];
    let dimensions = [Dimension::Size, Dimension::Time];
    let name = format!("batch::of_{size}_when_killed");
    Case::new(name, KILLED, &promises, &dimensions, move |context| {
        Box::pin(survives_kill(context, size))
    })
    .requires(Requirement::Durability)
    .long(is_long(size))
}

/// The process is killed as soon as it has acknowledged the batch.
async fn survives_kill(context: &Context, size: usize) -> CaseResult {
    let count = context.size_of_batch(size)?;
    for each in [false, true] {
        context.reset().await?;
        let peer = context.open_in_another_process().await?;
        let store = peer.store.space("red");
        let mut world = World::default();
        fill(&store, &mut world, Content::Mixed, count).await?;
        let writes = writes(&store, &world, Content::Mixed, count);
        let batch = if each { Batch::each(writes) } else { store.widest_batch(writes) };
        world.write(&store, &batch).await?;
        peer.adapter.kill();
        let reopened = context.open().await?;
        world.check_records(&reopened, "after a kill").await?;
        reopened.close().await?;
    }
    Ok(())
}

fn killed_during(size: usize) -> Case {
    let promises = [Promise::Durability, Promise::Atomicity];
    let dimensions = [Dimension::Size, Dimension::Time];
    let name = format!("batch::atomic_of_{size}_is_whole_when_killed_during_the_write");
    let mut case = Case::new(name, KILLED, &promises, &dimensions, move |context| {
        Box::pin(is_whole_after_kill(context, size))
    })
    .requires(Requirement::Durability)
    .requires(Requirement::BatchAtomicity)
    .long(is_long(size));
    case.random = true;
    case
}

/// The process is killed while it writes: at a moment between the call and about its end.
async fn is_whole_after_kill(context: &Context, size: usize) -> CaseResult {
    let count = context.size_of_batch(size)?;
    for seed in context.rounds(if is_long(size) { 2 } else { 6 }) {
        context.reset().await?;
        let peer = context.open_in_another_process().await?;
        let store = peer.store.space("red");
        let batch = |version: usize| {
            Batch::atomic((0..count).map(|n| Write::put(name(n), document(version, n))).collect())
        };
        let begun = std::time::Instant::now();
        store.write(&batch(1)).await?;
        let took = begun.elapsed();
        let share = f64::from(fastrand::Rng::with_seed(seed).u8(1..130)) / 100.0;
        let write = tokio::spawn({
            let (store, batch) = (store.clone(), batch(2));
            async move { store.adapter.write(&store.space, &batch).await.is_ok() }
        });
        tokio::time::sleep(took.mul_f64(share)).await;
        peer.adapter.kill();
        let is_acknowledged = write.await?;
        let store = context.open().await?.space("red");
        let keys: Vec<_> = (0..count).map(name).collect();
        let values = store.values(&keys).await?;
        let is_at = |version: usize, n: usize| {
            let held = values[n].as_ref().map(|value| Arc::as_ref(&value.0));
            held == Some(&document(version, n)[..])
        };
        let of_first = (0..count).filter(|&n| is_at(1, n)).count();
        let of_second = (0..count).filter(|&n| is_at(2, n)).count();
        let is_whole = of_second == count || (of_first == count && !is_acknowledged);
        ensure(
            is_whole,
            &format!("all {count} records of one batch, the second if it was acknowledged"),
            format_args!("{of_first} of the first batch, {of_second} of the second"),
        )
        .map_err(|error| error.with_seed(seed))?;
        store.close().await?;
    }
    Ok(())
}
