//! Graphs of a store inside the program.

use serde::de::DeserializeOwned;

use super::contract::Depth;
use super::graph::Graph;
use super::shape::{GraphOf, Shape};
use crate::Result;

/// A store inside the program: it looks up each key when it meets it.
pub(super) trait LookUp {
    fn look_up<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>>;

    fn graph<S: Shape>(&mut self, key: &str, depth: Depth) -> Result<GraphOf<S>> {
        let deck: S::Deck = self.look_up(key)?.ok_or("no deck")?;
        let mut cards = Vec::new();
        for key in S::cards(&deck) {
            let Some(card) = self.look_up(key)? else { continue };
            let translations = match depth {
                Depth::Cards => Vec::new(),
                Depth::Translations => S::translations(&card)
                    .filter_map(|key| self.look_up(key).transpose())
                    .collect::<Result<_>>()?,
            };
            cards.push((card, translations));
        }
        Ok(Graph { deck, cards })
    }
}
