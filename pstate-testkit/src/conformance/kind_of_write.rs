//! The kinds of writes, each with the batches that do it.

use pstate_core::{Batch, Change, Expect, Revision, Write};

use super::case_error::{CaseError, CaseResult};
use super::context::Context;
use super::promise::Promise;
use super::requirement::Requirement;
use super::shorthand::{key, put};
use super::store::Store;
use super::world::World;

/// What a write does, in which mode, under which expectation, and to what.
#[derive(Clone, Copy)]
pub(super) struct KindOfWrite {
    pub(super) name: &'static str,
    /// The space that it writes to.
    pub(super) space: &'static str,
    pub(super) requirement: Option<Requirement>,
    /// The batches, one after the other: each is made when those before are done.
    batches: &'static [fn(&World) -> Batch],
}

/// The spaces of the [start](start): one that most writes go to, another with the same keys, one
/// with two records, and one with a single record.
pub(super) const RED: &str = "red";
const BLUE: &str = "blue";
const PAIR: &str = "pair";
const LONE: &str = "lone";
const NEW: &str = "new";

fn document(version: u32, text: &str) -> String {
    format!(r#"{{"$v":{version},"text":"{text}"}}"#)
}

fn put_document(name: &str, version: u32, text: &str) -> Write {
    put(name, &document(version, text))
}

/// The value that the [start](start) has under a key.
fn same(name: &str) -> Write {
    put_document(name, 1, name)
}

fn other(name: &str) -> Write {
    put_document(name, 2, "another text")
}

fn delete(name: &str) -> Write {
    Write::delete(key(name))
}

fn of_red(world: &World, write: Write) -> Write {
    let expect = world.current(RED, write.key.as_str());
    write.expecting(expect)
}

/// Expects a revision that another record has.
fn stale(world: &World, write: Write) -> Write {
    let expect = match world.current(BLUE, "card:1") {
        Expect::Revision(revision) => revision,
        _ => Revision::from_number(7),
    };
    write.expecting(Expect::Revision(expect))
}

fn alone(write: Write) -> Batch {
    Batch::atomic(vec![write])
}

/// A batch that changes each of its records in another way, and whose expectations all hold.
fn mixed(world: &World) -> Vec<Write> {
    vec![
        of_red(world, other("card:1")),
        delete("card:2"),
        put_document("deck:9", 3, "new").expecting(Expect::Absent),
        of_red(world, delete("card:3")),
    ]
}

fn with_conflict(world: &World) -> Vec<Write> {
    vec![
        other("card:1"),
        stale(world, other("card:2")),
        delete("card:3"),
        put_document("deck:9", 3, "new"),
    ]
}

fn deletes(_: &World) -> Vec<Write> {
    vec![delete("card:1"), delete("card:99"), delete("card:3"), delete("card:2")]
}

fn swaps(world: &World) -> Vec<Write> {
    ["card:3", "card:1", "card:2"].map(|name| of_red(world, other(name))).into()
}

fn creations(_: &World) -> Vec<Write> {
    ["deck:8", "card:8", "card:9"].map(|name| other(name).expecting(Expect::Absent)).into()
}

fn creations_with_conflict(_: &World) -> Vec<Write> {
    ["deck:8", "card:8", "card:1"].map(|name| other(name).expecting(Expect::Absent)).into()
}

fn unchanged(_: &World) -> Vec<Write> {
    vec![same("card:1"), same("card:2")]
}

const fn kind(
    name: &'static str,
    space: &'static str,
    batches: &'static [fn(&World) -> Batch],
) -> KindOfWrite {
    KindOfWrite { name, space, requirement: None, batches }
}

const fn atomic(
    name: &'static str,
    space: &'static str,
    batches: &'static [fn(&World) -> Batch],
) -> KindOfWrite {
    KindOfWrite { name, space, requirement: Some(Requirement::BatchAtomicity), batches }
}

/// All kinds. A new one is one line.
pub(super) const KINDS: &[KindOfWrite] = &[
    kind("put_over_nothing", RED, &[|_| alone(other("card:9"))]),
    kind("put_over_another_value", RED, &[|_| alone(other("card:1"))]),
    kind("put_over_the_same_value", RED, &[|_| alone(same("card:1"))]),
    kind("put_of_nothing", RED, &[|_| alone(put("card:2", ""))]),
    kind("put_of_a_long_value", RED, &[|_| alone(put_document("card:3", 2, &"x".repeat(66_000)))]),
    kind("put_back", RED, &[|_| alone(other("card:1")), |_| alone(same("card:1"))]),
    kind("put_after_delete", RED, &[|_| alone(delete("card:1")), |_| alone(same("card:1"))]),
    kind("put_in_mode_each", RED, &[|_| Batch::each(vec![other("card:1")])]),
    kind("put_in_the_default_space", "default", &[|_| alone(other("card:1"))]),
    kind("delete", RED, &[|_| alone(delete("card:1"))]),
    kind("delete_of_nothing", RED, &[|_| alone(delete("card:99"))]),
    kind("delete_in_mode_each", RED, &[|_| Batch::each(vec![delete("card:1")])]),
    kind("create", RED, &[|_| alone(other("card:9").expecting(Expect::Absent))]),
    kind("create_over_a_record", RED, &[|_| alone(other("card:1").expecting(Expect::Absent))]),
    kind(
        "create_after_delete",
        RED,
        &[|_| alone(delete("card:1")), |_| alone(other("card:1").expecting(Expect::Absent))],
    ),
    kind("swap", RED, &[|world| alone(of_red(world, other("card:1")))]),
    kind("swap_for_the_same_value", RED, &[|world| alone(of_red(world, same("card:1")))]),
    kind("swap_of_another_revision", RED, &[|world| alone(stale(world, other("card:1")))]),
    kind("swap_of_nothing", RED, &[|world| alone(stale(world, other("card:9")))]),
    kind("delete_of_a_revision", RED, &[|world| alone(of_red(world, delete("card:1")))]),
    kind("delete_of_another_revision", RED, &[|world| alone(stale(world, delete("card:1")))]),
    kind(
        "delete_of_what_should_be_absent",
        RED,
        &[|_| alone(delete("card:1").expecting(Expect::Absent))],
    ),
    kind("each_batch", RED, &[|world| Batch::each(mixed(world))]),
    kind("each_batch_with_a_conflict", RED, &[|world| Batch::each(with_conflict(world))]),
    kind("each_batch_of_deletes", RED, &[|world| Batch::each(deletes(world))]),
    kind("each_batch_of_swaps", RED, &[|world| Batch::each(swaps(world))]),
    kind("each_batch_of_creations", RED, &[|world| Batch::each(creations(world))]),
    kind("each_batch_that_changes_nothing", RED, &[|world| Batch::each(unchanged(world))]),
    atomic("atomic_batch", RED, &[|world| Batch::atomic(mixed(world))]),
    atomic("atomic_batch_with_a_conflict", RED, &[|world| Batch::atomic(with_conflict(world))]),
    atomic("atomic_batch_of_deletes", RED, &[|world| Batch::atomic(deletes(world))]),
    atomic("atomic_batch_of_swaps", RED, &[|world| Batch::atomic(swaps(world))]),
    atomic("atomic_batch_of_creations", RED, &[|world| Batch::atomic(creations(world))]),
    atomic(
        "atomic_batch_of_creations_with_a_conflict",
        RED,
        &[|world| Batch::atomic(creations_with_conflict(world))],
    ),
    atomic("atomic_batch_that_changes_nothing", RED, &[|world| Batch::atomic(unchanged(world))]),
    kind("first_record_of_a_space", NEW, &[|_| alone(other("card:1"))]),
    kind(
        "first_record_of_a_space_by_creation",
        NEW,
        &[|_| alone(other("card:1").expecting(Expect::Absent))],
    ),
    kind(
        "first_records_of_a_space_in_an_each_batch",
        NEW,
        &[|world| Batch::each(vec![stale(world, other("card:1")), other("card:2")])],
    ),
    atomic(
        "first_records_of_a_space_in_an_atomic_batch",
        NEW,
        &[|_| Batch::atomic(vec![delete("card:1"), other("card:2")])],
    ),
    kind("conflict_in_an_empty_space", NEW, &[|world| alone(stale(world, other("card:1")))]),
    kind("delete_in_an_empty_space", NEW, &[|_| alone(delete("card:1"))]),
    kind("delete_of_the_last_record_of_a_space", LONE, &[|_| alone(delete("card:1"))]),
    kind(
        "delete_of_the_last_records_in_an_each_batch",
        PAIR,
        &[|_| Batch::each(vec![delete("card:1"), delete("card:2")])],
    ),
    atomic(
        "delete_of_the_last_records_in_an_atomic_batch",
        PAIR,
        &[|_| Batch::atomic(vec![delete("card:1"), delete("card:2")])],
    ),
    kind("last_record_put_back", LONE, &[|_| alone(delete("card:1")), |_| alone(other("card:1"))]),
];

/// Fills a store with what the kinds of writes change, or leave alone.
pub(super) async fn start(store: &Store) -> CaseResult<World> {
    let mut world = World::default();
    for (space, names) in [
        ("default", &["card:1", "card:2"][..]),
        (RED, &["card:1", "card:2", "card:3", "deck:1"]),
        (BLUE, &["card:1", "card:2", "card:3"]),
        (PAIR, &["card:1", "card:2"]),
        (LONE, &["card:1"]),
    ] {
        let store = store.space(space);
        let writes: Vec<_> = names.iter().map(|name| put_document(name, 1, name)).collect();
        for writes in writes.chunks(store.up_to_max_batch(writes.len())) {
            world.write(&store, &Batch::each(writes.to_vec())).await?;
        }
    }
    // Read before the write, so that a store which remembers their absence is found.
    world.note_absent(RED, &["card:8", "card:9", "card:99", "deck:8", "deck:9"]);
    world.note_absent(NEW, &["card:1", "card:2"]);
    // The other space has other values under the same keys, so that a revision tells them apart.
    world.write(&store.space(BLUE), &alone(put_document("card:1", 1, "blue"))).await?;
    Ok(world)
}

impl KindOfWrite {
    /// The promise that it needs besides being seen.
    pub(super) fn promise(&self) -> Option<Promise> {
        let has = |word| self.name.contains(word);
        if has("atomic") {
            Some(Promise::Atomicity)
        } else if ["create", "creation", "swap", "revision", "conflict", "should"]
            .map(has)
            .contains(&true)
        {
            Some(Promise::Expectations)
        } else {
            has("each").then_some(Promise::Outcomes)
        }
    }

    /// Whether it adds a space or takes one away, or might do so by mistake.
    pub(super) fn changes_spaces(&self) -> bool {
        [NEW, PAIR, LONE].contains(&self.space)
    }

    /// Whether a store that counts as it writes could count it wrongly.
    pub(super) fn changes_counts(&self) -> bool {
        !self.changes_spaces() || self.name.contains("last")
    }

    /// Does the writes.
    pub(super) async fn write(
        &self,
        context: &Context,
        store: &Store,
        world: &mut World,
    ) -> CaseResult {
        let store = store.space(self.space);
        for batch in self.batches {
            let batch = batch(world);
            if batch.writes.len() > store.up_to_max_batch(batch.writes.len()) {
                return Err(CaseError::ignored("it is more than its max_batch"));
            }
            let max_len = context.capabilities().max_value_len.unwrap_or(usize::MAX);
            let is_too_long = |write: &Write| match &write.change {
                Change::Put(bytes) => bytes.len() > max_len,
                Change::Delete => false,
            };
            if batch.writes.iter().any(is_too_long) {
                return Err(CaseError::ignored("its value is longer than its max_value_len"));
            }
            world.write(&store, &batch).await?;
        }
        Ok(())
    }
}
