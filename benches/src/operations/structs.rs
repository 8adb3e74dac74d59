//! What a preload has found, as structs.

use std::sync::Arc;

use pstate::{Document, Loaded};

use crate::Result;
use crate::documents::card::{Card, Deck, Translation};

/// The path from a deck to its cards' translations.
pub(super) const DEEP: &str = "cards.translations";

/// A deck, its cards and their translations, as structs.
pub(super) type Typed = (Arc<Deck>, Vec<(Arc<Card>, Vec<Arc<Translation>>)>);

/// Follows every reference, and decodes every document.
pub(super) fn typed(loaded: &Loaded) -> Result<Typed> {
    let cards = loaded.follow(loaded.root(), "cards")?.map(|card| {
        let translations = loaded.follow(card, "translations")?.map(Document::decode);
        Ok((card.decode()?, translations.collect::<Result<_, _>>()?))
    });
    let cards = cards.collect::<Result<_>>()?;
    Ok((loaded.root().decode()?, cards))
}

/// The same for a preload of a deck and its cards alone.
pub(super) fn typed_cards(loaded: &Loaded) -> Result<(Arc<Deck>, Vec<Arc<Card>>)> {
    let cards = loaded.follow(loaded.root(), "cards")?.map(Document::decode);
    let cards = cards.collect::<Result<_, _>>()?;
    Ok((loaded.root().decode()?, cards))
}
