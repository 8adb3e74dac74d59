//! Filling an empty store.

use pstate::PState;

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::card::{CARDS, Card, DECKS, Deck, TRANSLATIONS, Translation};
use crate::documents::decks;
use crate::documents::plain::{self, Record};
use crate::measure::timed;

use super::contender::Contender;
use super::store::{Store, without_children};

/// Whole decks, as each contender writes them.
#[derive(Debug)]
pub(super) struct Loads {
    decks: Vec<(String, Deck)>,
    cards: Vec<(String, Card)>,
    translations: Vec<(String, Translation)>,
    by_key: Vec<Record>,
    by_index: Vec<Record>,
}

impl Loads {
    pub(super) fn new() -> Result<Self> {
        let texts = decks()?;
        let by_key = plain::records(&texts)?;
        let mut by_index = by_key.clone();
        without_children(&mut by_index);
        let (mut decks, mut cards, mut translations) = (Vec::new(), Vec::new(), Vec::new());
        for (key, text) in &texts {
            let id = key.id().to_owned();
            match key.entity_type() {
                "base_deck" => decks.push((id, serde_json::from_str(text)?)),
                "base_card" => cards.push((id, serde_json::from_str(text)?)),
                _ => translations.push((id, serde_json::from_str(text)?)),
            }
        }
        Ok(Self { decks, cards, translations, by_key, by_index })
    }

    /// Fills a new store, which is not part of the sample.
    pub(super) async fn run_once<B: Backend>(&self, contender: Contender) -> Result<Vec<f64>> {
        let mut store = Store::<B>::empty().await?;
        let nanos = match contender {
            Contender::PState => self.by_pstate(&store).await?,
            Contender::Index => timed(store.baseline.indexed_load(&self.by_index)).await?,
            _ => timed(store.baseline.load(&self.by_key)).await?,
        };
        Ok(vec![nanos])
    }

    async fn by_pstate<B: Backend>(&self, store: &Store<B>) -> Result<f64> {
        let pstate = PState::builder(store.adapter.clone()).build()?;
        // What a reader would miss comes first: a deck never refers to a card that is not there.
        let (translations, cards) = (self.translations.clone(), self.cards.clone());
        let decks = self.decks.clone();
        let load = async {
            TRANSLATIONS.multi_put(&pstate, translations).await?;
            CARDS.multi_put(&pstate, cards).await?;
            DECKS.multi_put(&pstate, decks).await
        };
        timed(load).await
    }
}
