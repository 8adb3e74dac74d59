//! The standard library alone: an ordered map of texts behind a lock.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pstate::Key;
use serde_json::Value;

use crate::Result;

use super::contract::{Baseline, DeepDeck, Replacement};
use super::graph::LookUp;
use super::parse::Parse;

type Texts = BTreeMap<String, String>;

/// An ordered map of texts; reads parse them.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    texts: Arc<RwLock<Texts>>,
}

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, Texts> {
        self.texts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Texts> {
        self.texts.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LookUp for RwLockReadGuard<'_, Texts> {
    fn look_up<T>(&mut self, key: &str, parse: Parse<T>) -> Result<Option<T>> {
        self.get(key).map(|text| parse(text)).transpose()
    }
}

impl Baseline for Memory {
    async fn get<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<Option<T>> {
        self.read().look_up(key.as_str(), parse)
    }

    async fn multi_get<T: Send>(
        &mut self,
        keys: &[Key],
        parse: Parse<T>,
    ) -> Result<Vec<Option<T>>> {
        let mut texts = self.read();
        keys.iter().map(|key| texts.look_up(key.as_str(), parse)).collect()
    }

    async fn deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<(Value, Vec<T>)> {
        self.read().deck(key.as_str(), parse)
    }

    async fn deep_deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<DeepDeck<T>> {
        self.read().deep_deck(key.as_str(), parse)
    }

    async fn scan<T: Send>(&mut self, prefix: &str, parse: Parse<T>) -> Result<Vec<(String, T)>> {
        let texts = self.read();
        let matching = texts.range(prefix.to_owned()..);
        let matching = matching.take_while(|(key, _)| key.starts_with(prefix));
        matching.map(|(key, text)| Ok((key.clone(), parse(text)?))).collect()
    }

    async fn put(&mut self, key: &Key, document: &Value) -> Result<()> {
        let text = serde_json::to_string(document)?;
        self.write().insert(key.as_str().to_owned(), text);
        Ok(())
    }

    async fn multi_put(&mut self, documents: &[(Key, Value)]) -> Result<()> {
        let mut new = Vec::with_capacity(documents.len());
        for (key, document) in documents {
            new.push((key.as_str().to_owned(), serde_json::to_string(document)?));
        }
        self.write().extend(new);
        Ok(())
    }

    async fn replace(&mut self, replacements: &[Replacement]) -> Result<()> {
        let mut texts = self.write();
        for Replacement { key, old, new } in replacements {
            match texts.get_mut(key.as_str()) {
                Some(text) if text == old => text.clone_from(new),
                _ => return Err(format!("{key} has changed since it was read").into()),
            }
        }
        Ok(())
    }

    async fn load(&mut self, texts: &[(Key, String)]) -> Result<()> {
        self.write()
            .extend(texts.iter().map(|(key, text)| (key.as_str().to_owned(), text.clone())));
        Ok(())
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        let mut texts = self.write();
        for key in keys {
            texts.remove(key.as_str());
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
