//! The standard library alone: an ordered map of parsed documents behind a lock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pstate::Key;
use serde_json::Value;

use crate::Result;
use crate::documents::plain::{Card, Document, Record};

use super::contract::{Baseline, Depth, Replacement};
use super::graph::Graph;

type Documents = BTreeMap<String, Arc<Document>>;
type Shared = Graph<Arc<Document>, Arc<Document>, Arc<Document>>;

/// An ordered map of documents, which reads share.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    documents: Arc<RwLock<Documents>>,
}

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, Documents> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Documents> {
        self.documents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn card(card: &Card) -> Arc<Document> {
    Arc::new(Document::Card(card.clone()))
}

impl Baseline for Memory {
    type Card = Arc<Document>;
    type Graph = Shared;
    type Stored = Arc<Document>;

    async fn get(&mut self, key: &Key) -> Result<Option<Arc<Document>>> {
        Ok(self.read().get(key.as_str()).cloned())
    }

    async fn multi_get(&mut self, keys: &[Key]) -> Result<Vec<Option<Arc<Document>>>> {
        let documents = self.read();
        Ok(keys.iter().map(|key| documents.get(key.as_str()).cloned()).collect())
    }

    async fn graph(&mut self, key: &Key, depth: Depth) -> Result<Shared> {
        let documents = self.read();
        let all = |keys: &[String]| -> Vec<Arc<Document>> {
            keys.iter().filter_map(|key| documents.get(key).cloned()).collect()
        };
        let deck = documents.get(key.as_str()).ok_or("no deck")?.clone();
        let Document::Deck(found) = &*deck else { return Err("not a deck".into()) };
        let cards = all(&found.cards).into_iter().map(|card| {
            let translations = match (&*card, depth) {
                (Document::Card(card), Depth::Translations) => all(&card.translations),
                _ => Vec::new(),
            };
            (card, translations)
        });
        let cards = cards.collect();
        Ok(Graph { deck, cards })
    }

    async fn tree(&mut self, key: &Key) -> Result<Value> {
        let Graph { deck, cards } = self.graph(key, Depth::Translations).await?;
        let trees = |documents: &[Arc<Document>]| -> Result<Vec<Value>> {
            documents.iter().map(|document| Ok(serde_json::to_value(document.as_ref())?)).collect()
        };
        let cards = cards.iter().map(|(card, translations)| {
            Ok((serde_json::to_value(card.as_ref())?, trees(translations)?))
        });
        let deck = serde_json::to_value(deck.as_ref())?;
        Ok(Graph { deck, cards: cards.collect::<Result<_>>()? }.into_tree())
    }

    async fn scan(&mut self, prefix: &str) -> Result<Vec<(String, Arc<Document>)>> {
        let documents = self.read();
        let matching = documents.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let matching = matching.take_while(|(key, _)| key.starts_with(prefix));
        Ok(matching.map(|(key, document)| (key.clone(), document.clone())).collect())
    }

    async fn put(&mut self, key: &Key, new: &Card) -> Result<()> {
        let new = card(new);
        self.write().insert(key.as_str().to_owned(), new);
        Ok(())
    }

    async fn multi_put(&mut self, cards: &[(Key, Card)]) -> Result<()> {
        let new: Vec<_> =
            cards.iter().map(|(key, new)| (key.as_str().to_owned(), card(new))).collect();
        self.write().extend(new);
        Ok(())
    }

    async fn update(&mut self, key: &Key, rank: u64) -> Result<()> {
        let mut documents = self.write();
        let document = documents.get_mut(key.as_str()).ok_or("a card is missing")?;
        let Document::Card(card) = Arc::make_mut(document) else {
            return Err("not a card".into());
        };
        card.rank = rank;
        Ok(())
    }

    async fn load(&mut self, records: &[Record]) -> Result<()> {
        let documents = records.iter().map(|Record { key, document, .. }| {
            (key.as_str().to_owned(), Arc::new(document.clone()))
        });
        self.write().extend(documents);
        Ok(())
    }

    async fn migrate(&mut self, keys: &[Key]) -> Result<Vec<Replacement<Arc<Document>>>> {
        let documents = self.read();
        let migrated = keys.iter().map(|key| {
            let old = documents.get(key.as_str()).ok_or("a card is missing")?.clone();
            let Document::OldCard(found) = &*old else { return Err("not an old card".into()) };
            let new = Arc::new(Document::Card(found.clone().migrate()?));
            Ok(Replacement { key: key.clone(), old, new })
        });
        migrated.collect()
    }

    async fn replace(&mut self, replacements: Vec<Replacement<Arc<Document>>>) -> Result<()> {
        let mut documents = self.write();
        for Replacement { key, old, new } in replacements {
            match documents.get_mut(key.as_str()) {
                Some(document) if Arc::ptr_eq(document, &old) => *document = new,
                _ => return Err(format!("{key} has changed since it was read").into()),
            }
        }
        Ok(())
    }

    async fn touch(&mut self, keys: &[Key]) -> Result<()> {
        self.multi_get(keys).await.map(drop)
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        let mut documents = self.write();
        for key in keys {
            documents.remove(key.as_str());
        }
        Ok(())
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
