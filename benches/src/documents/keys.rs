//! Which keys are read and written together.

use pstate::Key;

use crate::Result;

/// How many keys a batch has.
pub(crate) const BATCH: usize = 100;

/// Shares no factor with the numbers of cards, so that the keys of a batch lie far apart.
const STRIDE: usize = 1_777;

/// Places below `len`: distinct, scattered, and different in each round.
pub(crate) fn scattered(round: usize, count: usize, len: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| (round * count + n) * STRIDE % len)
}

/// Keys of cards that no other edition has.
pub(crate) fn new_keys(edition: usize, count: usize) -> Result<Vec<Key>> {
    // Neither in ascending order nor next to each other, like the keys of users.
    let id = |card| format!("new-{:05}-{edition:08}", (edition + card) * STRIDE % 10_007);
    let keys = (0..count).map(|card| Key::new("base_card", &id(card)));
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Keys of texts.
pub(super) fn parsed(texts: impl IntoIterator<Item = String>) -> Result<Vec<Key>> {
    Ok(texts.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}
