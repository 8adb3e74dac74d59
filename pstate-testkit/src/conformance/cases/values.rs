//! Values of each length, and the revisions of long ones.

use std::collections::HashMap;

use pstate_core::{Batch, Durability, Expect, Key, Outcome, Revision, Write};

use crate::conformance::case::Case;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::key;
use crate::conformance::store::Store;
use crate::conformance::world::World;

/// Around the lengths of pages, of 16 bits, and of a mebibyte.
const LENGTHS: [usize; 7] = [1, 4_097, 65_535, 65_536, 65_537, 1_048_575, 1_048_577];

const BYTES: &str = "What is read is what was written, byte for byte.";
const CHANGES: &str = "A revision changes whenever the stored bytes change.";
const NOT_REUSED: &str = "No revision stands for two different values of one key, not even after the record was deleted in between.";
const ALL_OR_NOTHING: &str =
    "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:";
const OTHER_KEYS: &str =
    "No revision stands for different values under two keys, nor in two spaces,";

/// Who writes in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writers {
    OneHandle,
    TwoHandles,
    TwoProcesses,
    /// One after the other, each after the store was closed and opened again.
    Reopened,
    /// One after the other, each after the process of the other was killed.
    Killed,
}

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let size = [Dimension::Size];
    for length in LENGTHS {
        let name = format!("bytes::values_of_{length}");
        let promises = [Promise::Bytes, Promise::Reads];
        cases.push(Case::new(name, BYTES, &promises, &size, move |context| {
            Box::pin(values(context, length))
        }));
        let name = format!("revisions::each_byte_of_{length}");
        cases.push(Case::new(name, CHANGES, &[Promise::Revisions], &size, move |context| {
            Box::pin(each_byte(context, length))
        }));
    }
    let name = "batch::atomic_of_40_values_of_a_mebibyte";
    let promises = [Promise::Atomicity, Promise::Reads, Promise::Scans];
    let mebibytes = Case::new(name, ALL_OR_NOTHING, &promises, &size, |context| {
        Box::pin(many_mebibytes(context))
    });
    cases.push(mebibytes.requires(Requirement::BatchAtomicity).long(true));
    let name = "revisions::thousands_of_changes";
    let promises = [Promise::Revisions, Promise::Expectations];
    cases.push(Case::new(name, NOT_REUSED, &promises, &size, |context| {
        Box::pin(thousands(context))
    }));
    for (writers, of, dimension) in [
        (Writers::OneHandle, "by_one_handle", Dimension::Write),
        (Writers::TwoHandles, "by_two_handles", Dimension::Handle),
        (Writers::TwoProcesses, "by_two_processes", Dimension::Process),
        (Writers::Reopened, "across_reopening", Dimension::Time),
        (Writers::Killed, "across_kills", Dimension::Time),
    ] {
        let name = format!("revisions::of_every_key_and_space_{of}");
        let case = Case::new(name, OTHER_KEYS, &promises, &[dimension], move |context| {
            Box::pin(apart(context, writers))
        });
        cases.push(match writers {
            Writers::OneHandle => case,
            _ => case.requires(Requirement::Durability),
        });
    }
    cases
}

/// A value of this length that is no text, without a pattern that a short digest could confuse.
fn value(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

fn check_length(context: &Context, length: usize) -> CaseResult {
    match context.capabilities().max_value_len {
        Some(max) if length > max => {
            Err(CaseError::ignored(format!("a value of {length} bytes is more than it takes")))
        }
        _ => Ok(()),
    }
}

async fn values(context: &Context, length: usize) -> CaseResult {
    check_length(context, length)?;
    let store = context.open().await?.space("red");
    let mut world = World::default();
    let writes: Vec<_> =
        (0..5_u64).map(|n| Write::put(key(&format!("card:{n}")), value(length, n))).collect();
    world.write(&store, &Batch::atomic(writes[..1].to_vec())).await?;
    for writes in writes[1..].chunks(store.up_to_max_batch(4)) {
        world.write(&store, &store.widest_batch(writes.to_vec())).await?;
    }
    world.check_records(&store, "after the puts").await?;
    // Shorter and longer than what is overwritten.
    for (n, length) in [length - 1, 1, length].into_iter().enumerate() {
        let name = key(&format!("card:{n}"));
        world.write(&store, &Batch::each(vec![Write::put(name, value(length, 9))])).await?;
    }
    world.check_records(&store, "after overwrites").await?;
    if context.capabilities().durability == Durability::None {
        return Ok(());
    }
    store.close().await?;
    world.check_records(&context.open().await?, "when reopened").await
}

/// More than fits into what stores send or commit at once.
async fn many_mebibytes(context: &Context) -> CaseResult {
    let length = 1 << 20;
    check_length(context, length)?;
    if context.up_to_max_batch(40) < 40 {
        return Err(CaseError::ignored("a batch of 40 is more than its max_batch"));
    }
    let store = context.open().await?.space("red");
    let mut world = World::default();
    let card = |n: u64| key(&format!("card:{n:02}"));
    let put = |n: u64, seed: u64| Write::put(card(n), value(length, seed));
    world.write(&store, &Batch::each(vec![Write::put(card(39), *b"{}")])).await?;
    let mut writes: Vec<_> = (0..40).map(|n| put(n, n)).collect();
    writes[39] = put(39, 39).expecting(Expect::Absent);
    world.write(&store, &Batch::atomic(writes.clone())).await?;
    world.check_records(&store, "after a conflict at the last").await?;
    writes[39] = put(39, 39);
    world.write(&store, &Batch::atomic(writes)).await?;
    // All in one read, and in one page.
    world.check_records(&store, "after the batch").await
}

/// Changes a single byte at a time, at places that a digest of a part would leave out.
async fn each_byte(context: &Context, length: usize) -> CaseResult {
    check_length(context, length)?;
    let store = context.open().await?;
    let mut places: Vec<usize> = (0..usize::BITS)
        .map(|bits| 1 << bits)
        .take_while(|&place| place <= length)
        .flat_map(|place| [place - 1, place, place + 1])
        .chain([0, length / 3, length / 2, length.saturating_sub(2), length - 1])
        .filter(|&place| place < length)
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut value = value(length, 1);
    let card = key("card:1");
    let mut current = store.put_bytes(&card, value.clone().into()).await?;
    let mut issued = HashMap::from([(current, 0)]);
    for place in places {
        value[place] ^= 1;
        let write = Write::put(card.clone(), value.clone()).expecting(Expect::Revision(current));
        let Outcome::Stored(changed) = store.write_one(write).await? else {
            return Err(CaseError::mismatch("a swap from the current revision", "none"));
        };
        if let Some(earlier) = issued.insert(changed, place) {
            let expected = format!("another revision after byte {place} of {length} changed");
            let got = format!("that which there was after byte {earlier} changed");
            return Err(CaseError::mismatch(expected, got));
        }
        let stale = Write::delete(card.clone()).expecting(Expect::Revision(current));
        refuse(&store, stale, "the revision before the change of a byte").await?;
        current = changed;
    }
    Ok(())
}

/// Checks that a write conflicts.
async fn refuse(store: &Store, write: Write, what: &str) -> CaseResult {
    let key = write.key.clone();
    let outcome = OutcomeKind::from(&store.write_one(write).await?);
    ensure_eq(&format!("a write of {key} that expects {what}"), &OutcomeKind::Conflict, &outcome)
}

async fn thousands(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let card = key("card:1");
    let text = |n: usize| format!(r#"{{"n":{n}}}"#).into_bytes();
    let mut issued: HashMap<Revision, usize> = HashMap::new();
    let mut last = None;
    for n in 0..3_000 {
        let revision = store.put_bytes(&card, text(n).into()).await?;
        if let Some(earlier) = issued.insert(revision, n) {
            let expected = format!("another revision for value {n}");
            return Err(CaseError::mismatch(expected, format_args!("that of value {earlier}")));
        }
        last = Some(revision);
    }
    // Many others that come and go must not make the store forget what it has issued.
    store.delete("card:1").await?;
    for n in 0..300 {
        let other = format!("other:{n}");
        store.put(&other, "{}").await?;
        store.delete(&other).await?;
    }
    // Back to the first value: its revision may come back, as it stands for the same bytes.
    let first = store.put_bytes(&card, text(0).into()).await?;
    if issued.get(&first).is_some_and(|&n| n != 0) {
        return Err(CaseError::mismatch(
            "the first revision or a new one",
            "that of another value",
        ));
    }
    for (&revision, &n) in issued.iter().filter(|(_, n)| **n != 0 && **n % 97 == 1) {
        let stale = Write::delete(card.clone()).expecting(Expect::Revision(revision));
        refuse(&store, stale, &format!("the revision of value {n}")).await?;
    }
    let last = last.unwrap_or(first);
    let stale = Write::put(card.clone(), text(9)).expecting(Expect::Revision(last));
    refuse(&store, stale, "the last revision but one").await
}

/// Writes different values under several keys in several spaces, and checks that no revision comes
/// twice, nor matches another key, another space, or an earlier value.
async fn apart(context: &Context, writers: Writers) -> CaseResult {
    let mut first = context.open().await?;
    let mut peer = None;
    let mut second = match writers {
        Writers::OneHandle | Writers::Reopened => first.clone(),
        Writers::TwoHandles => context.open_second_handle().await?,
        Writers::TwoProcesses => {
            let opened = context.open_in_second_process().await?;
            let store = opened.store.clone();
            peer = Some(opened);
            store
        }
        Writers::Killed => {
            first.close().await?;
            let opened = context.open_in_another_process().await?;
            let store = opened.store.clone();
            first = store.clone();
            peer = Some(opened);
            store
        }
    };
    let mut issued: HashMap<Revision, String> = HashMap::new();
    let spaces = ["red", "blue", "default"];
    for round in 0..4 {
        for n in 0..15_usize {
            let store = if (n + round) % 2 == 0 { &first } else { &second };
            let (space, card) = (spaces[n % 3], key(&format!("card:{}", n / 3)));
            let store = store.space(space);
            let value = format!(r#"{{"round":{round},"n":{n:02}}}"#);
            let revision = store.put_bytes(&card, value.into_bytes().into()).await?;
            let what = format!("{card} in {space} in round {round}");
            if let Some(earlier) = issued.insert(revision, what.clone()) {
                let expected = format!("another revision for {what}");
                return Err(CaseError::mismatch(expected, format_args!("that of {earlier}")));
            }
            // Also the last record: what is left must not tell how far the revisions have come.
            if round == 2 && (n % 4 == 0 || n == 14) {
                store.write_one(Write::delete(card)).await?;
            }
        }
        match writers {
            Writers::Reopened => {
                first.close().await?;
                first = context.open().await?;
                second = first.clone();
            }
            Writers::Killed => {
                peer.take().inspect(|peer| peer.adapter.kill());
                let opened = context.open_in_another_process().await?;
                first = opened.store.clone();
                second = first.clone();
                peer = Some(opened);
            }
            _ => {}
        }
    }
    // Every revision but its own is stale for a record.
    let card: Key = key("card:1");
    let current = first.space("red").existing("card:1").await?.revision;
    for (&revision, what) in issued.iter().filter(|(revision, _)| **revision != current) {
        let swap = Write::put(card.clone(), *b"{}").expecting(Expect::Revision(revision));
        refuse(&first.space("red"), swap, &format!("the revision of {what}")).await?;
    }
    Ok(())
}
