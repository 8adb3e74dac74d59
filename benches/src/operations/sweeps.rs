//! Sweeps of a store in which every document is old.

use pstate::{Key, PState, Schema};
use pstate_testkit::workload::{Deck, schema};

use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::plain::{self, Record};
use crate::documents::{cards_at, store};
use crate::measure::timed;
use crate::{Error, Result};

use super::store::Store;
use super::write_back::{expect, silent_writer};

/// The cards of the store.
const DECK: Deck = Deck { id: "past", cards: 2_000, translations: 3 };

/// A store in which every document is old, once it was [made so](Self::run_once).
#[derive(Debug)]
pub(super) struct Sweeps<B: Backend> {
    store: Store<B>,
    schema: Schema,
    keys: Vec<Key>,
    old: Vec<(Key, String)>,
    old_by_hand: Vec<Record>,
}

impl<B: Backend> Sweeps<B> {
    pub(super) async fn new() -> Result<Self> {
        let old = cards_at(1, DECK, 0..DECK.cards)?;
        let old_by_hand = plain::records(&old)?;
        let keys = old.iter().map(|(key, _)| key.clone()).collect();
        Ok(Self { store: Store::empty().await?, schema: schema()?, keys, old, old_by_hand })
    }

    /// Makes all documents old, and then measures a sweep: the time for one of them, in
    /// nanoseconds.
    pub(super) async fn run_once(&mut self, is_pstate: bool) -> Result<Vec<f64>> {
        if is_pstate {
            store(&*self.store.adapter, &self.old).await?;
        } else {
            self.store.baseline.load(&self.old_by_hand).await?;
        }
        self.store.settle().await?;
        let mut migrated = 0;
        let nanos = if is_pstate {
            let pstate = PState::builder(self.store.adapter.clone())
                .schema(self.schema.clone())
                .migration_writer(silent_writer())
                .build()?;
            let sweep = async {
                migrated = usize::try_from(pstate.migrate_all().run().await?.stored)?;
                Ok::<_, Error>(())
            };
            timed(sweep).await?
        } else {
            let sweep = async {
                migrated = self.store.baseline.sweep(&self.keys).await?;
                Ok::<_, Error>(())
            };
            timed(sweep).await?
        };
        expect("migrated", migrated, self.keys.len())?;
        Ok(vec![nanos / f64::from(u32::try_from(self.keys.len())?)])
    }
}
