//! Documents in every kind of cache.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use pstate::{
    Adapter, Collection, Document, Event, Key, MemoryAdapter, MetricsBridge, Observer, PState, Ref,
    Space,
};
use pstate_benches::measure::nanos_since;
use pstate_benches::{BareCache, Place, Result};
use pstate_testkit::workload::Deck;
use serde::Deserialize;

use crate::contender::Contender;

/// How many reads a run has.
pub(crate) const READS: usize = 20_000;

/// A card as a program declares it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Card {
    front: String,
    back: String,
    translations: BTreeMap<String, Ref>,
}

const CARDS: Collection<Card> = Collection::new("base_card");

/// An observer that does nothing.
struct Silent;

impl Observer for Silent {
    fn on_event(&self, event: &Event<'_>) {
        black_box(event);
    }
}

/// Documents in every kind of cache.
pub(crate) struct Cached {
    space: Space,
    ids: Vec<String>,
    texts: Vec<String>,
    keys: Vec<Key>,
    /// The order in which documents are read.
    pub(crate) order: Vec<u32>,
    map: HashMap<Place, Document, RandomState>,
    bare: BareCache<Document>,
    pub(crate) pstate: PState,
    metered: PState,
    observed: PState,
    /// A handle of its own, since decoded values make documents lie further apart.
    typed: PState,
    adapter: Arc<MemoryAdapter>,
}

impl Cached {
    pub(crate) async fn new(
        documents: usize,
        order: Vec<u32>,
        bound: u64,
        room: usize,
    ) -> Result<Self> {
        let deck = Deck { id: "many", cards: documents, translations: 3 };
        let adapter = Arc::new(MemoryAdapter::new());
        let plain = PState::builder(adapter.clone()).cache_bytes(0).build()?;
        for card in 0..documents {
            plain.put(deck.card_key(card), &deck.card(card)).await?;
        }
        let handle = || PState::builder(adapter.clone()).cache_bytes(bound);
        let (pstate, typed) = (handle().build()?, handle().build()?);
        let metered = handle().metrics(MetricsBridge::default()).build()?;
        let observed = handle().observer(Arc::new(Silent)).build()?;
        let texts: Vec<String> = (0..documents).map(|card| deck.card_key(card)).collect();
        let keys: Vec<Key> =
            texts.iter().map(|text| text.parse()).collect::<pstate::Result<_>>()?;
        let ids = keys.iter().map(|key| key.id().to_owned()).collect();
        let space = Space::default();
        let hasher = RandomState::default();
        let bare = BareCache::new(room, hasher.clone());
        let mut map = HashMap::with_capacity_and_hasher(documents, hasher);
        for key in &keys {
            if let Some(document) = plain.get(key).await? {
                bare.insert(Place::new(&space, key)?, document.clone());
                map.insert(Place::new(&space, key)?, document);
            }
        }
        for pstate in [&pstate, &metered, &observed] {
            for key in &keys {
                // By another text than the one that later reads use, as in the caches above.
                pstate.get(key.as_str()).await?;
            }
        }
        for key in &keys {
            CARDS.get(&typed, key.id()).await?;
        }
        Ok(Self {
            space,
            ids,
            texts,
            keys,
            order,
            map,
            bare,
            pstate,
            metered,
            observed,
            typed,
            adapter,
        })
    }

    /// Reads from a place in the order on; the nanoseconds for each read.
    pub(crate) async fn read(&self, contender: Contender, from: usize) -> Result<f64> {
        let order = self.order.iter().cycle().skip(from % self.order.len()).take(READS);
        let order: Vec<usize> = order.map(|&at| at as usize).collect();
        let begin = Instant::now();
        for at in order {
            self.read_one(contender, at).await?;
        }
        Ok(nanos_since(begin) / READS as f64)
    }

    #[inline]
    pub(crate) async fn read_one(&self, contender: Contender, at: usize) -> Result<()> {
        match contender {
            Contender::Map => {
                let place = Place::sharing(&self.space, &self.keys[at]);
                black_box(self.map.get(&place).cloned());
            }
            Contender::Bare => {
                black_box(self.bare.get(&self.space, self.keys[at].as_str()));
            }
            Contender::Text => drop(black_box(self.pstate.get(self.texts[at].as_str()).await?)),
            Contender::Key => drop(black_box(self.pstate.get(&self.keys[at]).await?)),
            // A reference to a reference is a type of its own: `get` then has code of its own,
            // which the compiler optimizes as that of the only reader in a program.
            Contender::Metrics => drop(black_box(self.metered.get(&&self.keys[at]).await?)),
            Contender::Observer => drop(black_box(self.observed.get(&&&self.keys[at]).await?)),
            Contender::Typed => drop(black_box(CARDS.get(&self.typed, &self.ids[at]).await?)),
        }
        Ok(())
    }

    /// A read by the bare cache: it reads a missing document from the store and caches it.
    pub(crate) async fn read_through(&self, at: usize) -> Result<()> {
        let key = &self.keys[at];
        if let Some(document) = self.bare.get(&self.space, key.as_str()) {
            black_box(document);
            return Ok(());
        }
        let found = self.adapter.multi_get(&self.space, std::slice::from_ref(key)).await?;
        if let Some(record) = found.into_iter().flatten().next() {
            let document = Document::load(key.clone(), record)?;
            self.bare.insert(Place::sharing(&self.space, key), black_box(document));
        }
        Ok(())
    }
}
