use std::collections::HashSet;

use proptest::strategy::{Just, Strategy};
use proptest::{bool, collection, option, prop_oneof};

/// Keys that stores like to confuse. They are few, so that a short sequence uses them repeatedly.
pub(super) const KEYS: [&str; 14] = [
    "a:1",
    "a:10",
    "a:2",
    "a:A",
    "a:a",
    "a:é",
    "a:e\u{301}",
    "a:a ",
    "a:%",
    "a:_",
    "a_b:1",
    "ab:1",
    "axb:1",
    "a:1:1",
];
pub(super) const SPACES: [&str; 3] = ["a", "ab", "a-b"];
pub(super) const PREFIXES: [&str; 9] = ["", "a", "a:", "a:1", "a:a", "a_", "a_b:", "b", "a:%"];
pub(super) const VALUES: [&str; 6] = ["", "{}", "1.0", "{\"a\":1e400}", "null", "é"];

/// One step of a sequence. Numbers are indices of the constants above.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Read { space: usize, keys: Vec<usize> },
    Write { space: usize, atomic: bool, writes: Vec<StepWrite> },
    Page { space: usize, prefix: usize, after: Option<usize>, limit: usize },
    Scan { space: usize, prefix: usize, limit: usize },
    Spaces,
    Flush,
    Reopen,
}

/// A key, what the write expects, and the new value; no value for a delete.
pub(super) type StepWrite = (usize, Expected, Option<usize>);

/// What a write expects. The runner turns it into an `Expect`, because revisions are unknown before
/// the sequence runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    Any,
    Absent,
    /// The current revision of the record, or the last one of an absent record.
    Current,
    /// An earlier revision of the record.
    Earlier,
    /// A revision of another key.
    Foreign,
}

/// Sequences of steps.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most steps use the same few keys of one space, so that they affect each other.
    let space = || prop_oneof![3 => Just(0), 1 => 0..SPACES.len()];
    let key = || prop_oneof![2 => 0..3_usize, 1 => 0..KEYS.len()];
    let expected = prop_oneof![
        3 => Just(Expected::Any),
        2 => Just(Expected::Absent),
        3 => Just(Expected::Current),
        1 => Just(Expected::Earlier),
        1 => Just(Expected::Foreign),
    ];
    let change = option::weighted(0.7, 0..VALUES.len());
    let writes = collection::vec((key(), expected, change), 1..6).prop_map(|mut writes| {
        let mut keys = HashSet::new();
        writes.retain(|(key, ..)| keys.insert(*key));
        writes
    });
    let step = prop_oneof![
        8 => (space(), bool::ANY, writes)
            .prop_map(|(space, atomic, writes)| Step::Write { space, atomic, writes }),
        4 => (space(), collection::vec(key(), 1..6))
            .prop_map(|(space, keys)| Step::Read { space, keys }),
        2 => (space(), 0..PREFIXES.len(), option::of(key()), 1_usize..6)
            .prop_map(|(space, prefix, after, limit)| Step::Page { space, prefix, after, limit }),
        2 => (space(), 0..PREFIXES.len(), 1_usize..6)
            .prop_map(|(space, prefix, limit)| Step::Scan { space, prefix, limit }),
        1 => Just(Step::Spaces),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ];
    collection::vec(step, 1..50)
}
