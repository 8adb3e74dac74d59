//! What each baseline does.

use std::fmt;

use pstate::Key;
use serde_json::Value;

use crate::documents::plain::{Card, Record};
use crate::{Error, Result};

/// A conditional write: it stores the new document if the store still holds the old one.
#[derive(Debug, Clone)]
pub struct Replacement<S> {
    /// Where.
    pub key: Key,
    /// The document that the store has to hold.
    pub old: S,
    /// The document to store.
    pub new: S,
}

/// How much of a deck is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The deck and its cards.
    Cards,
    /// The translations of its cards as well.
    Translations,
}

/// The work of a program that uses a backend without PState.
///
/// Documents are [structs](crate::plain) of the program. A read of a graph follows the keys that
/// the documents list. A store that has indexes can also find cards by their deck, and translations
/// by their card: the methods `indexed_...` do so.
pub trait Baseline: fmt::Debug + Send + Sync + Sized + 'static {
    /// A card, as a read returns it.
    type Card: Send;

    /// A deck with its cards, as a read returns it.
    type Graph: Send;

    /// A document as the store keeps it.
    type Stored: Send + Sync;

    /// One card.
    fn get(&mut self, key: &Key) -> impl Future<Output = Result<Option<Self::Card>>> + Send;

    /// Several cards, in the order of their keys.
    fn multi_get(
        &mut self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Option<Self::Card>>>> + Send;

    /// A deck, its cards, and their translations.
    fn graph(
        &mut self,
        key: &Key,
        depth: Depth,
    ) -> impl Future<Output = Result<Self::Graph>> + Send;

    /// A deck, its cards, and their translations as one JSON tree.
    fn tree(&mut self, key: &Key) -> impl Future<Output = Result<Value>> + Send;

    /// [`graph`](Self::graph) by an index of parents.
    fn indexed_graph(
        &mut self,
        _key: &Key,
        _depth: Depth,
    ) -> impl Future<Output = Result<Self::Graph>> + Send {
        async { Err(no_index()) }
    }

    /// [`tree`](Self::tree) by an index of parents.
    fn indexed_tree(&mut self, _key: &Key) -> impl Future<Output = Result<Value>> + Send {
        async { Err(no_index()) }
    }

    /// The cards whose keys begin with `prefix`, in the order of their keys.
    fn scan(
        &mut self,
        prefix: &str,
    ) -> impl Future<Output = Result<Vec<(String, Self::Card)>>> + Send;

    /// Stores one card.
    fn put(&mut self, key: &Key, card: &Card) -> impl Future<Output = Result<()>> + Send;

    /// Stores several cards, all or none.
    fn multi_put(&mut self, cards: &[(Key, Card)]) -> impl Future<Output = Result<()>> + Send;

    /// Reads a card, changes its rank, and stores it if no one else has changed it meanwhile.
    fn update(&mut self, key: &Key, rank: u64) -> impl Future<Output = Result<()>> + Send;

    /// Stores many documents of all kinds.
    fn load(&mut self, records: &[Record]) -> impl Future<Output = Result<()>> + Send;

    /// The same in tables with an index of parents.
    fn indexed_load(&mut self, _records: &[Record]) -> impl Future<Output = Result<()>> + Send {
        async { Err(no_index()) }
    }

    /// Reads cards of the first version, and brings them to today's shape.
    fn migrate(
        &mut self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Replacement<Self::Stored>>>> + Send;

    /// Stores several documents if the store still holds all the old ones; otherwise it fails.
    fn replace(
        &mut self,
        replacements: Vec<Replacement<Self::Stored>>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Brings all of these cards to today's shape, and stores them. Returns how many those are.
    fn sweep(&mut self, keys: &[Key]) -> impl Future<Output = Result<usize>> + Send {
        async {
            let replacements = self.migrate(keys).await?;
            let migrated = replacements.len();
            self.replace(replacements).await?;
            Ok(migrated)
        }
    }

    /// Reads documents of any kind, to have their pages in memory. Not measured.
    fn touch(&mut self, keys: &[Key]) -> impl Future<Output = Result<()>> + Send;

    /// Removes documents that [`put`](Self::put) and [`multi_put`](Self::multi_put) have stored.
    /// Not measured.
    fn remove(&mut self, keys: &[Key]) -> impl Future<Output = Result<()>> + Send;

    /// Finishes what earlier writes have deferred, such as a checkpoint, so that no later write
    /// pays for it. Not measured.
    fn settle(&mut self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The baseline for another task that works at the same time.
    fn for_task(&self, task: usize) -> Self;
}

fn no_index() -> Error {
    "this store has no index of parents".into()
}
