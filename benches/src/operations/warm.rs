//! Reads of cached documents.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use pstate::{Document, Key, PState, Space};

use crate::Result;
use crate::backend::Backend;
use crate::bare_cache::{BareCache, Place};
use crate::documents::card::{CARDS, Card};
use crate::measure::nanos_since;

use super::contender::Contender;
use super::fixture::{CACHE_BYTES, DEPTH, Fixture};
use super::operation::Operation;

/// How many documents a run reads: all cards, in no particular order. Its sample is their mean,
/// since a single read takes little longer than reading the clock.
const KEYS: usize = 1_000;
/// How often a run reads a resolved deck; the sample is the mean as well.
const RESOLVED: usize = 100;

/// Handles and caches that hold everything.
#[derive(Debug)]
pub(super) struct Warm {
    space: Space,
    keys: Vec<Key>,
    deck: Key,
    pstate: PState,
    /// A handle of its own, since decoded values make documents lie further apart.
    typed: PState,
    /// A handle whose cache has room for resolved decks.
    resolved: PState,
    documents: BareCache<Document>,
    cards: BareCache<Arc<Card>>,
}

impl Warm {
    pub(super) async fn new<B: Backend>(fixture: &Fixture<B>) -> Result<Self> {
        let handle =
            |bytes| PState::builder(fixture.store.adapter.clone()).cache_bytes(bytes).build();
        let (pstate, typed) = (handle(CACHE_BYTES)?, handle(CACHE_BYTES)?);
        let resolved = handle(32 * CACHE_BYTES)?;
        let keys = fixture.dataset.keys(0, KEYS);
        let space = Space::default();
        let hasher = RandomState::default();
        let documents = BareCache::new(2 * KEYS, hasher.clone());
        let cards = BareCache::new(2 * KEYS, hasher);
        for key in &keys {
            // By another text than the one that later reads use, as in a program.
            let document = pstate.get(key.as_str()).await?.ok_or("a card is missing")?;
            documents.insert(Place::new(&space, key)?, document);
            let card = CARDS.get(&typed, key.id()).await?.ok_or("a card is missing")?;
            cards.insert(Place::new(&space, key)?, card);
        }
        let deck = fixture.dataset.deck(0).clone();
        Ok(Self { space, keys, deck, pstate, typed, resolved, documents, cards })
    }

    pub(super) async fn run_once(
        &self,
        operation: Operation,
        contender: Contender,
    ) -> Result<Vec<f64>> {
        // The first run does not count: it finds the processor's caches as the others have left
        // them.
        self.read(operation, contender).await?;
        Ok(vec![self.read(operation, contender).await?])
    }

    async fn read(&self, operation: Operation, contender: Contender) -> Result<f64> {
        match (operation, contender) {
            (Operation::Resolve, _) => {
                let begin = Instant::now();
                for _ in 0..RESOLVED {
                    black_box(self.resolved.get_resolved(&self.deck, DEPTH).await?);
                }
                mean(begin, RESOLVED)
            }
            (Operation::GetWarmTyped, Contender::Cache) => {
                let begin = Instant::now();
                for key in &self.keys {
                    black_box(self.cards.get(&self.space, key.as_str()));
                }
                mean(begin, KEYS)
            }
            (Operation::GetWarmTyped, _) => {
                let begin = Instant::now();
                for key in &self.keys {
                    black_box(CARDS.get(&self.typed, key.id()).await?);
                }
                mean(begin, KEYS)
            }
            (_, Contender::Cache) => {
                let begin = Instant::now();
                for key in &self.keys {
                    black_box(self.documents.get(&self.space, key.as_str()));
                }
                mean(begin, KEYS)
            }
            _ => {
                let begin = Instant::now();
                for key in &self.keys {
                    black_box(self.pstate.get(key).await?);
                }
                mean(begin, KEYS)
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::unnecessary_wraps, reason = "far below 2^52")]
fn mean(begin: Instant, reads: usize) -> Result<f64> {
    Ok(nanos_since(begin) / reads as f64)
}
