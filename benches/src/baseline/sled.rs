//! The crate sled alone.
//!
//! One tree of texts. A batch is sled's own, a conditional write is its compare-and-swap, and each
//! write flushes before it counts as done.

use std::path::Path;
use std::str;

use pstate::Key;
use serde_json::Value;
use sled::{Batch, Db};

use crate::Result;

use super::contract::{Baseline, DeepDeck, Replacement};
use super::graph::LookUp;
use super::parse::Parse;

/// A database of texts.
#[derive(Clone)]
pub struct Sled {
    db: Db,
}

impl std::fmt::Debug for Sled {
    /// Leaves out the stored documents, which sled would show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sled").finish_non_exhaustive()
    }
}

impl Sled {
    /// Creates a database.
    pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Self> {
        Ok(Self { db: sled::Config::new().path(path).cache_capacity(cache_bytes).open()? })
    }
}

impl LookUp for Db {
    fn look_up<T>(&mut self, key: &str, parse: Parse<T>) -> Result<Option<T>> {
        self.get(key)?.map(|text| parse(str::from_utf8(&text)?)).transpose()
    }
}

impl Baseline for Sled {
    async fn get<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<Option<T>> {
        self.db.look_up(key.as_str(), parse)
    }

    async fn multi_get<T: Send>(
        &mut self,
        keys: &[Key],
        parse: Parse<T>,
    ) -> Result<Vec<Option<T>>> {
        keys.iter().map(|key| self.db.look_up(key.as_str(), parse)).collect()
    }

    async fn deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<(Value, Vec<T>)> {
        self.db.deck(key.as_str(), parse)
    }

    async fn deep_deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<DeepDeck<T>> {
        self.db.deep_deck(key.as_str(), parse)
    }

    async fn scan<T: Send>(&mut self, prefix: &str, parse: Parse<T>) -> Result<Vec<(String, T)>> {
        let found = self.db.scan_prefix(prefix).map(|entry| {
            let (key, text) = entry?;
            Ok((str::from_utf8(&key)?.to_owned(), parse(str::from_utf8(&text)?)?))
        });
        found.collect()
    }

    async fn put(&mut self, key: &Key, document: &Value) -> Result<()> {
        self.db.insert(key.as_str(), serde_json::to_vec(document)?)?;
        self.db.flush()?;
        Ok(())
    }

    async fn multi_put(&mut self, documents: &[(Key, Value)]) -> Result<()> {
        let mut batch = Batch::default();
        for (key, document) in documents {
            batch.insert(key.as_str(), serde_json::to_vec(document)?);
        }
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        Ok(())
    }

    async fn replace(&mut self, replacements: &[Replacement]) -> Result<()> {
        for Replacement { key, old, new } in replacements {
            let (old, new) = (Some(old.as_bytes()), Some(new.as_bytes()));
            if self.db.compare_and_swap(key.as_str(), old, new)?.is_err() {
                return Err(format!("{key} has changed since it was read").into());
            }
        }
        self.db.flush()?;
        Ok(())
    }

    async fn load(&mut self, texts: &[(Key, String)]) -> Result<()> {
        for (key, text) in texts {
            self.db.insert(key.as_str(), text.as_bytes())?;
        }
        self.db.flush()?;
        Ok(())
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        for key in keys {
            self.db.remove(key.as_str())?;
        }
        self.db.flush()?;
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
