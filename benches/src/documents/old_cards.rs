//! Cards that reads migrate.

use pstate::Key;
use pstate_testkit::workload::{Deck, schema};

use crate::Result;

use super::keys::scattered;
use super::texts::cards_at;

/// Cards at version 1, and others at version 2.
#[derive(Debug)]
pub(crate) struct OldCards {
    /// At version 1, with their stored text.
    old: Vec<(Key, String)>,
    /// At version 2.
    current: Vec<Key>,
    /// At version 2; they only fill caches.
    pub(crate) filling: Vec<Key>,
}

impl OldCards {
    const OLD: Deck = Deck { id: "past", cards: 1_000, translations: 3 };
    const CURRENT: Deck = Deck { id: "here", cards: 2_500, translations: 3 };
    /// How many of the current cards are measured.
    const MEASURED: usize = 1_000;

    pub(crate) fn new() -> Result<(Self, Vec<(Key, String)>)> {
        let old = cards_at(1, Self::OLD, 0..Self::OLD.cards)?;
        let mut texts = cards_at(1, Self::CURRENT, 0..Self::CURRENT.cards)?;
        let schema = schema()?;
        for (_, text) in &mut texts {
            *text = schema.migrate_text("base_card", text)?;
        }
        let mut current: Vec<Key> = texts.iter().map(|(key, _)| key.clone()).collect();
        let filling = current.split_off(Self::MEASURED);
        texts.extend(old.iter().cloned());
        Ok((Self { old, current, filling }, texts))
    }

    /// Keys of cards at version 2, as in [`Dataset::keys`](super::Dataset::keys).
    pub(crate) fn current_keys(&self, round: usize, count: usize) -> Vec<Key> {
        let places = scattered(round, count, self.current.len());
        places.map(|at| self.current[at].clone()).collect()
    }

    /// The same for cards at version 1, with their texts.
    pub(crate) fn old(&self, round: usize, count: usize) -> Vec<(Key, String)> {
        scattered(round, count, self.old.len()).map(|at| self.old[at].clone()).collect()
    }
}
