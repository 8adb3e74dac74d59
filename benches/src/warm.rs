//! Reads of what is cached.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use pstate::{Collection, Document, Key, PState, Space};

use crate::Result;
use crate::backend::Backend;
use crate::bare_cache::{BareCache, Place};
use crate::contest::Side;
use crate::fixture::Card;
use crate::operation::Operation;
use crate::scene::{CACHE_BYTES, DEPTH, Scene};
use crate::timing::nanos_since;

/// How many documents a turn reads: all cards, in no particular order. Its sample is their mean: a single one
/// takes little longer than reading the clock.
const KEYS: usize = 1_000;
/// How often it asks for what was resolved, likewise.
const RESOLVED: usize = 100;

const CARDS: Collection<Card> = Collection::new("base_card");

/// Handles and caches that have everything.
#[derive(Debug)]
pub(crate) struct Warm {
    space: Space,
    keys: Vec<Key>,
    deck: Key,
    pstate: PState,
    /// What is decoded makes documents lie further apart.
    typed: PState,
    /// Has room for what is resolved.
    resolved: PState,
    documents: BareCache<Document>,
    cards: BareCache<Arc<Card>>,
}

impl Warm {
    pub(crate) async fn new<B: Backend>(scene: &Scene<B>) -> Result<Self> {
        let handle = |bytes| PState::builder(scene.adapter.clone()).cache_bytes(bytes).build();
        let (pstate, typed) = (handle(CACHE_BYTES)?, handle(CACHE_BYTES)?);
        let resolved = handle(32 * CACHE_BYTES)?;
        let keys = scene.fixture.keys(0, KEYS);
        let space = Space::default();
        let hasher = RandomState::default();
        let documents = BareCache::new(2 * KEYS, hasher.clone());
        let cards = BareCache::new(2 * KEYS, hasher);
        for key in &keys {
            // Not the text that it is searched with, as in a program.
            let document = pstate.get(key.as_str()).await?.ok_or("a card is missing")?;
            documents.insert(Place::new(&space, key)?, document);
            let card = CARDS.get(&typed, key.id()).await?.ok_or("a card is missing")?;
            cards.insert(Place::new(&space, key)?, card);
        }
        let deck = scene.fixture.deck(0).clone();
        Ok(Self { space, keys, deck, pstate, typed, resolved, documents, cards })
    }

    pub(crate) async fn turn(&self, operation: Operation, side: Side) -> Result<Vec<f64>> {
        // The first time is not counted: it finds what the other sides have left.
        self.read(operation, side).await?;
        Ok(vec![self.read(operation, side).await?])
    }

    async fn read(&self, operation: Operation, side: Side) -> Result<f64> {
        match (operation, side) {
            (Operation::Resolve, _) => {
                let begin = Instant::now();
                for _ in 0..RESOLVED {
                    black_box(self.resolved.get_resolved(&self.deck, DEPTH).await?);
                }
                mean(begin, RESOLVED)
            }
            (Operation::GetWarmTyped, Side::Cache) => {
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
            (_, Side::Cache) => {
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
