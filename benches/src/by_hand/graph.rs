//! Following references.

use serde_json::Value;

use crate::Result;
use crate::by_hand::{DeepDeck, Parse, parse};

/// What a member of a document refers to.
pub(crate) fn references<'a>(
    document: &'a Value,
    member: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let members = document[member].as_object().into_iter().flat_map(|members| members.values());
    members.filter_map(|reference| reference["$ref"].as_str())
}

/// A store that is part of the program: what is referred to is looked up when the reference is met.
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
            // It has to be parsed: it says what its translations are.
            let Some(card) = self.look_up(key, parse::<Value>)? else { continue };
            let translations = references(&card, "translations")
                .filter_map(|key| self.look_up(key, keep).transpose())
                .collect::<Result<_>>()?;
            cards.push((card, translations));
        }
        Ok((deck, cards))
    }
}

/// The tree of a deck in which its references are replaced by what they refer to.
pub(crate) fn expand((mut deck, cards): DeepDeck<Value>) -> Value {
    let whole = cards.into_iter().map(|(mut card, translations)| {
        replace(&mut card["translations"], translations);
        card
    });
    replace(&mut deck["cards"], whole);
    deck
}

/// Puts documents in the place of references; they come in the same order.
fn replace(references: &mut Value, documents: impl IntoIterator<Item = Value>) {
    let places = references.as_object_mut().into_iter().flat_map(|members| members.values_mut());
    for (place, document) in places.zip(documents) {
        *place = document;
    }
}
