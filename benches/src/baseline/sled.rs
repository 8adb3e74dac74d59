//! The crate sled alone.
//!
//! One tree of texts. A batch is sled's own, a conditional write is its compare-and-swap, and each
//! write flushes before it counts as done.

use std::hint::black_box;
use std::path::Path;
use std::str;

use pstate::Key;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sled::{Batch, Db, IVec};

use crate::Result;
use crate::documents::plain::{Card, Record};

use super::contract::{Baseline, Depth, Replacement};
use super::graph::Graph;
use super::look_up::LookUp;
use super::shape::{GraphOf, Structs, Trees, migrate};

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

    fn apply(&self, batch: Batch) -> Result<()> {
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        Ok(())
    }
}

impl LookUp for Db {
    fn look_up<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        self.get(key)?.map(|text| Ok(serde_json::from_slice(&text)?)).transpose()
    }
}

impl Baseline for Sled {
    type Card = Card;
    type Graph = Graph;
    type Stored = IVec;

    async fn get(&mut self, key: &Key) -> Result<Option<Card>> {
        self.db.look_up(key.as_str())
    }

    async fn multi_get(&mut self, keys: &[Key]) -> Result<Vec<Option<Card>>> {
        keys.iter().map(|key| self.db.look_up(key.as_str())).collect()
    }

    async fn graph(&mut self, key: &Key, depth: Depth) -> Result<Graph> {
        LookUp::graph::<Structs>(&mut self.db, key.as_str(), depth)
    }

    async fn tree(&mut self, key: &Key) -> Result<Value> {
        let graph: GraphOf<Trees> =
            LookUp::graph::<Trees>(&mut self.db, key.as_str(), Depth::Translations)?;
        Ok(graph.into_tree())
    }

    async fn scan(&mut self, prefix: &str) -> Result<Vec<(String, Card)>> {
        let found = self.db.scan_prefix(prefix).map(|entry| {
            let (key, text) = entry?;
            Ok((str::from_utf8(&key)?.to_owned(), serde_json::from_slice(&text)?))
        });
        found.collect()
    }

    async fn put(&mut self, key: &Key, card: &Card) -> Result<()> {
        self.db.insert(key.as_str(), serde_json::to_vec(card)?)?;
        self.db.flush()?;
        Ok(())
    }

    async fn multi_put(&mut self, cards: &[(Key, Card)]) -> Result<()> {
        let mut batch = Batch::default();
        for (key, card) in cards {
            batch.insert(key.as_str(), serde_json::to_vec(card)?);
        }
        self.apply(batch)
    }

    async fn update(&mut self, key: &Key, rank: u64) -> Result<()> {
        let old = self.db.get(key.as_str())?.ok_or("a card is missing")?;
        let mut card: Card = serde_json::from_slice(&old)?;
        card.rank = rank;
        let new = serde_json::to_vec(&card)?;
        if self.db.compare_and_swap(key.as_str(), Some(old), Some(new))?.is_err() {
            return Err(format!("{key} has changed since it was read").into());
        }
        self.db.flush()?;
        Ok(())
    }

    async fn load(&mut self, records: &[Record]) -> Result<()> {
        let mut batch = Batch::default();
        for Record { key, document, .. } in records {
            batch.insert(key.as_str(), serde_json::to_vec(document)?);
        }
        self.apply(batch)
    }

    async fn migrate(&mut self, keys: &[Key]) -> Result<Vec<Replacement<IVec>>> {
        let migrated = keys.iter().map(|key| {
            let old = self.db.get(key.as_str())?.ok_or("a card is missing")?;
            let new = migrate(str::from_utf8(&old)?)?;
            Ok(Replacement { key: key.clone(), old, new: IVec::from(new.as_bytes()) })
        });
        migrated.collect()
    }

    async fn replace(&mut self, replacements: Vec<Replacement<IVec>>) -> Result<()> {
        for Replacement { key, old, new } in replacements {
            if self.db.compare_and_swap(key.as_str(), Some(old), Some(new))?.is_err() {
                return Err(format!("{key} has changed since it was read").into());
            }
        }
        self.db.flush()?;
        Ok(())
    }

    async fn touch(&mut self, keys: &[Key]) -> Result<()> {
        for key in keys {
            black_box(self.db.get(key.as_str())?);
        }
        Ok(())
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        let mut batch = Batch::default();
        for key in keys {
            batch.remove(key.as_str());
        }
        self.apply(batch)
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
