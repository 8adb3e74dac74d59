//! What a case has at hand: stores of its own, and short words for what it asks of them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, ErrorKind, Expect, Key, Outcome, Page, Record,
    Revision, Scan, Space, Write,
};

use super::case::{Stop, ensure};
use super::harness::Harness;
use crate::operation::Value;
use crate::recording::{OperationLog, RecordingLayer};
use crate::settings::Settings;

/// One run of one case.
pub(super) struct Test {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) settings: Settings,
    /// How a child process of the program finds this harness again.
    pub(super) label: &'static str,
    /// What the adapter declares.
    pub(super) capabilities: OnceLock<Capabilities>,
    id: String,
    stores: AtomicUsize,
    log: Mutex<Arc<OperationLog>>,
}

impl Test {
    pub(super) fn new(
        harness: Arc<dyn Harness>,
        settings: Settings,
        label: &'static str,
        id: String,
    ) -> Self {
        Self {
            harness,
            settings,
            label,
            capabilities: OnceLock::new(),
            id,
            stores: AtomicUsize::new(1),
            log: Mutex::default(),
        }
    }

    /// The id of the store that is used at the moment.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.id, self.stores.load(Relaxed))
    }

    /// Turns to a store that is empty, and to an empty log.
    pub(super) async fn renew(&self) -> Result<(), Stop> {
        self.remove().await?;
        self.stores.fetch_add(1, Relaxed);
        *self.log.lock() = Arc::default();
        Ok(())
    }

    pub(super) async fn remove(&self) -> Result<(), Stop> {
        Ok(self.harness.remove(&self.id()).await?)
    }

    /// Opens the store.
    pub(super) async fn open(&self) -> Result<Store, Stop> {
        let adapter = self.harness.open(&self.id()).await?;
        let adapter = RecordingLayer::with_log(adapter, self.log());
        Ok(Store { adapter: Arc::new(adapter), space: Space::default() })
    }

    /// Opens the store a second time, or ends the case as one that doesn't apply.
    pub(super) async fn open_beside(&self) -> Result<Store, Stop> {
        let ignored =
            |error| Stop::Ignored(format!("it can't be opened while it is open: {error}"));
        let adapter = self.harness.open(&self.id()).await.map_err(ignored)?;
        let adapter = RecordingLayer::with_log(adapter, self.log());
        Ok(Store { adapter: Arc::new(adapter), space: Space::default() })
    }

    pub(super) fn log(&self) -> Arc<OperationLog> {
        self.log.lock().clone()
    }

    /// As many of `count` as go into one call.
    pub(super) fn at_most(&self, count: usize) -> usize {
        let max = self.capabilities.get().and_then(|capabilities| capabilities.max_batch);
        max.map_or(count, |max| max.get().min(count))
    }

    /// The rounds of a random case: their seeds.
    pub(super) fn rounds(&self, default: usize) -> impl Iterator<Item = u64> {
        (0..self.settings.rounds(default)).map(|round| self.settings.round_seed(round))
    }
}

/// An open store, seen through one of its spaces.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) space: Space,
}

impl Store {
    /// The same store, seen through another space.
    pub(super) fn space(&self, name: &str) -> Self {
        Self { adapter: self.adapter.clone(), space: space(name) }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.adapter.capabilities()
    }

    /// These writes as one atomic batch if the adapter has such, otherwise each for itself.
    pub(super) fn widest(&self, writes: Vec<Write>) -> Batch {
        if self.has_atomic_batches() { Batch::atomic(writes) } else { Batch::each(writes) }
    }

    pub(super) fn has_atomic_batches(&self) -> bool {
        self.capabilities().atomicity == Atomicity::Batch
    }

    /// As many of `count` as go into one call.
    pub(super) fn at_most(&self, count: usize) -> usize {
        self.capabilities().max_batch.map_or(count, |max| max.get().min(count))
    }

    pub(super) async fn close(self) -> Result<(), Stop> {
        Ok(self.adapter.close().await?)
    }

    pub(super) async fn records(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, Stop> {
        let records = self.adapter.multi_get(&self.space, keys).await?;
        ensure(
            records.len() == keys.len(),
            &format!("{} records for {} keys", keys.len(), keys.len()),
            format_args!("{} records", records.len()),
        )?;
        Ok(records)
    }

    pub(super) async fn record(&self, key: &Key) -> Result<Option<Record>, Stop> {
        let mut records = self.records(std::slice::from_ref(key)).await?;
        Ok(records.pop().flatten())
    }

    pub(super) async fn values(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, Stop> {
        let records = self.records(keys).await?;
        Ok(records.into_iter().map(|record| record.map(|record| Value(record.bytes))).collect())
    }

    pub(super) async fn value(&self, name: &str) -> Result<Option<Value>, Stop> {
        Ok(self.record(&key(name)).await?.map(|record| Value(record.bytes)))
    }

    /// What is stored, or a violation.
    pub(super) async fn stored(&self, name: &str) -> Result<Record, Stop> {
        let record = self.record(&key(name)).await?;
        record.ok_or_else(|| Stop::broken(format_args!("a record under {name}"), "none"))
    }

    /// Puts a value, whatever was there.
    pub(super) async fn put(&self, name: &str, value: &str) -> Result<Revision, Stop> {
        self.put_bytes(&key(name), value.as_bytes().into()).await
    }

    pub(super) async fn put_bytes(&self, key: &Key, bytes: Arc<[u8]>) -> Result<Revision, Stop> {
        match self.write_one(Write::put(key.clone(), bytes)).await? {
            Outcome::Stored(revision) => Ok(revision),
            other => Err(Stop::broken("Stored", Came::from(&other))),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Stop> {
        match self.write_one(Write::delete(key(name))).await? {
            Outcome::Deleted => Ok(()),
            other => Err(Stop::broken("Deleted", Came::from(&other))),
        }
    }

    pub(super) async fn write_one(&self, write: Write) -> Result<Outcome, Stop> {
        let mut outcomes = self.write(&Batch::atomic(vec![write])).await?;
        outcomes.pop().ok_or_else(|| Stop::broken("one outcome", "none"))
    }

    /// Writes, and checks that there are as many outcomes as writes.
    pub(super) async fn write(&self, batch: &Batch) -> Result<Vec<Outcome>, Stop> {
        let outcomes = self.adapter.write(&self.space, batch).await?;
        ensure(
            outcomes.len() == batch.writes.len(),
            &format!("{} outcomes for {} writes", batch.writes.len(), batch.writes.len()),
            format_args!("{} outcomes", outcomes.len()),
        )?;
        Ok(outcomes)
    }

    /// Puts one value under each key, in as few calls as the capabilities allow.
    pub(super) async fn put_all(&self, keys: &[Key], value: &str) -> Result<(), Stop> {
        for keys in keys.chunks(self.at_most(500)) {
            let puts = keys.iter().map(|key| Write::put(key.clone(), value.as_bytes())).collect();
            for outcome in self.write(&Batch::each(puts)).await? {
                let came = Came::from(&outcome);
                ensure(came == Came::Stored, "every put stored", came)?;
            }
        }
        Ok(())
    }

    /// One page, after checking what holds for any page.
    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, Stop> {
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        let scan = Scan { prefix: prefix.to_owned(), after: after.cloned(), limit };
        let page = self.adapter.scan(&self.space, &scan).await?;
        let names = || format!("{:?}", names(&page));
        ensure(
            page.records.len() <= limit.get(),
            &format!("at most {limit} records in a page"),
            page.records.len(),
        )?;
        ensure(
            page.records.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "keys in ascending byte order",
            names(),
        )?;
        ensure(
            page.records.iter().all(|(key, _)| key.as_str().starts_with(prefix)),
            &format!("only keys that begin with {prefix:?}"),
            names(),
        )?;
        if let Some(after) = after {
            ensure(
                page.records.iter().all(|(key, _)| key > after),
                &format!("only keys after {after}"),
                names(),
            )?;
        }
        if let Some(next) = &page.next {
            let last = page.records.last().map(|(key, _)| key).max(after);
            ensure(
                last.is_none_or(|last| next >= last) && after != Some(next),
                "a place for the next page that is further on",
                format_args!("next is {next}"),
            )?;
        }
        Ok(page)
    }

    /// All pages of a scan, joined.
    pub(super) async fn scan(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, Stop> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(prefix, after.as_ref(), limit).await?;
            if let Some(error) = page.unreadable.first() {
                let got = format!("{} unreadable: {error}", page.unreadable.len());
                return Err(Stop::broken("everything readable", got));
            }
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                next => after = next,
            }
        }
    }

    pub(super) async fn scanned(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Stop> {
        let records = self.scan(prefix, limit).await?;
        Ok(records.into_iter().map(|(key, _)| key.to_string()).collect())
    }
}

/// What became of a write, to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Stored,
    Deleted,
    Conflict,
    Aborted,
    Failed(ErrorKind),
}

impl From<&Outcome> for Came {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Stored(_) => Self::Stored,
            Outcome::Deleted => Self::Deleted,
            Outcome::Conflict => Self::Conflict,
            Outcome::Aborted => Self::Aborted,
            Outcome::Failed(error) => Self::Failed(error.kind()),
        }
    }
}

impl std::fmt::Display for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

pub(super) fn came(outcomes: &[Outcome]) -> Vec<Came> {
    outcomes.iter().map(Came::from).collect()
}

pub(super) fn names(page: &Page) -> Vec<&str> {
    page.records.iter().map(|(key, _)| key.as_str()).collect()
}

/// A key that the suite has written itself, so it is well-formed.
#[expect(clippy::expect_used, reason = "the suite's own keys are well-formed")]
pub(super) fn key(text: &str) -> Key {
    text.parse().expect("a key of the suite")
}

#[expect(clippy::expect_used, reason = "the suite's own spaces are well-formed")]
pub(super) fn space(name: &str) -> Space {
    name.parse().expect("a space of the suite")
}

pub(super) fn put(name: &str, value: &str) -> Write {
    Write::put(key(name), value.as_bytes())
}

pub(super) fn put_if(name: &str, value: &str, expect: Expect) -> Write {
    put(name, value).expecting(expect)
}
