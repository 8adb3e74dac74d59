//! Preloads whose documents are in the cache, or would be if it were larger.

use std::hint::black_box;

use pstate::{Key, Loaded, PState};

use crate::Result;
use crate::backend::Backend;
use crate::documents::card::{TRANSLATIONS, Translation};
use crate::measure::timed;

use super::fixture::{CACHE_BYTES, Fixture};
use super::operation::Operation;
use super::structs::{DEEP, typed};

/// How often a run repeats an unchanged preload, each a sample.
const REPEATED: usize = 20;

/// Handles that have preloaded a deck before.
#[derive(Debug)]
pub(super) struct Graphs {
    deck: Key,
    /// A translation of one of the deck's cards.
    translation: Key,
    /// Its cache has room for everything.
    cached: PState,
    /// Its cache has room for nothing.
    not_kept: PState,
    /// How often the translation was written: each time with another text.
    edition: usize,
}

impl Graphs {
    pub(super) async fn new<B: Backend>(fixture: &Fixture<B>) -> Result<Self> {
        let handle = |bytes| {
            let adapter = fixture.store.adapter.clone();
            PState::builder(adapter).cache_bytes(bytes).build()
        };
        let (cached, not_kept) = (handle(32 * CACHE_BYTES)?, handle(0)?);
        let deck = fixture.dataset.deck(0).clone();
        let loaded = cached.preload(&deck, DEEP).await?.ok_or("no deck")?;
        typed(&loaded)?;
        let card = loaded.follow(loaded.root(), "cards")?.next().ok_or("no card")?;
        let translation = loaded.follow(card, "translations")?.next().ok_or("no translation")?;
        let translation = translation.key().clone();
        drop(loaded);
        Ok(Self { deck, translation, cached, not_kept, edition: 0 })
    }

    pub(super) async fn run_once(&mut self, operation: Operation) -> Result<Vec<f64>> {
        let mut samples = Vec::with_capacity(REPEATED);
        match operation {
            Operation::PreloadCached => {
                for _ in 0..REPEATED {
                    let follow = async { followed(&self.preload(&self.cached).await?) };
                    samples.push(timed(follow).await?);
                }
            }
            Operation::PreloadCachedTyped => {
                for _ in 0..REPEATED {
                    samples.push(self.typed(&self.cached).await?);
                }
            }
            Operation::PreloadOneChanged => {
                for _ in 0..REPEATED {
                    self.change().await?;
                    samples.push(self.typed(&self.cached).await?);
                }
            }
            _ => samples.push(self.typed(&self.not_kept).await?),
        }
        Ok(samples)
    }

    /// Writes the translation.
    async fn change(&mut self) -> Result<()> {
        self.edition += 1;
        let text = format!("edition {}", self.edition);
        let translation = Translation::new("es", &text);
        TRANSLATIONS.put(&self.cached, self.translation.id(), &translation).await?;
        Ok(())
    }

    async fn preload(&self, pstate: &PState) -> Result<Loaded> {
        Ok(pstate.preload(&self.deck, DEEP).await?.ok_or("no deck")?)
    }

    async fn typed(&self, pstate: &PState) -> Result<f64> {
        timed(async { typed(&self.preload(pstate).await?) }).await
    }
}

/// Follows every reference. Returns the number of documents.
fn followed(loaded: &Loaded) -> Result<usize> {
    let mut documents = 1;
    for card in loaded.follow(loaded.root(), "cards")? {
        documents += 1;
        for translation in loaded.follow(card, "translations")? {
            black_box(translation);
            documents += 1;
        }
    }
    Ok(documents)
}
