//! Graphs: following references, and putting documents in their place.

use serde_json::Value;

use crate::Result;

use super::contract::DeepDeck;
use super::parse::{Parse, parse};

/// The keys that a member of a document refers to.
pub(crate) fn references<'a>(
    document: &'a Value,
    member: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let members = document[member].as_object().into_iter().flat_map(|members| members.values());
    members.filter_map(|reference| reference["$ref"].as_str())
}

/// A store inside the program: it looks up each reference when it meets it.
pub(crate) trait LookUp {
    fn look_up<T>(&mut self, key: &str, parse: Parse<T>) -> Result<Option<T>>;

    fn deck<T>(&mut self, key: &str, keep: Parse<T>) -> Result<(Value, Vec<T>)> {
        let deck = self.look_up(key, parse::<Value>)?.ok_or("no deck")?;
        let cards = references(&deck, "cards")
            .filter_map(|key| self.look_up(key, keep).transpose())
            .collect::<Result<_>>()?;
        Ok((deck, cards))
    }

    fn deep_deck<T>(&mut self, key: &str, keep: Parse<T>) -> Result<DeepDeck<T>> {
        let deck = self.look_up(key, parse::<Value>)?.ok_or("no deck")?;
        let mut cards = Vec::new();
        for key in references(&deck, "cards") {
            // Parsed in any case: the card says which translations it has.
            let Some(card) = self.look_up(key, parse::<Value>)? else { continue };
            let translations = references(&card, "translations")
                .filter_map(|key| self.look_up(key, keep).transpose())
                .collect::<Result<_>>()?;
            cards.push((card, translations));
        }
        Ok((deck, cards))
    }
}

/// The tree of a deck, with documents in the place of the references to them.
pub(crate) fn expand((mut deck, cards): DeepDeck<Value>) -> Value {
    let whole = cards.into_iter().map(|(mut card, translations)| {
        replace(&mut card["translations"], translations);
        card
    });
    replace(&mut deck["cards"], whole);
    deck
}

/// Puts documents in the place of references, in the same order.
fn replace(references: &mut Value, documents: impl IntoIterator<Item = Value>) {
    let places = references.as_object_mut().into_iter().flat_map(|members| members.values_mut());
    for (place, document) in places.zip(documents) {
        *place = document;
    }
}
