use std::num::NonZeroUsize;
use std::slice;
use std::sync::Arc;

use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, Key, Outcome, Page, Record, Revision, Scan, Space,
    Write,
};

use super::case_error::{CaseError, CaseResult};
use super::check::ensure;
use super::outcome_kind::OutcomeKind;
use super::shorthand::{key, space};
use crate::recording::Value;

/// An open store and one of its spaces, with short methods for what cases do.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) space: Space,
}

impl Store {
    /// The default space of a store.
    pub(super) fn new(adapter: Arc<dyn Adapter>) -> Self {
        Self { adapter, space: Space::default() }
    }

    /// Another space of the same store.
    pub(super) fn space(&self, name: &str) -> Self {
        Self { adapter: self.adapter.clone(), space: space(name) }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.adapter.capabilities()
    }

    /// A batch of these writes: atomic if the adapter supports that, otherwise in mode each.
    pub(super) fn widest_batch(&self, writes: Vec<Write>) -> Batch {
        if self.has_atomic_batches() { Batch::atomic(writes) } else { Batch::each(writes) }
    }

    pub(super) fn has_atomic_batches(&self) -> bool {
        self.capabilities().atomicity == Atomicity::Batch
    }

    /// `count`, or as much of it as one call may hold.
    pub(super) fn up_to_max_batch(&self, count: usize) -> usize {
        up_to_max_batch(&self.capabilities(), count)
    }

    pub(super) async fn close(self) -> CaseResult {
        Ok(self.adapter.close().await?)
    }

    /// Reads records, and checks that there is one result for each key.
    pub(super) async fn records(&self, keys: &[Key]) -> CaseResult<Vec<Option<Record>>> {
        let records = self.adapter.multi_get(&self.space, keys).await?;
        ensure(
            records.len() == keys.len(),
            &format!("{} records for {} keys", keys.len(), keys.len()),
            format_args!("{} records", records.len()),
        )?;
        Ok(records)
    }

    pub(super) async fn record(&self, key: &Key) -> CaseResult<Option<Record>> {
        let mut records = self.records(slice::from_ref(key)).await?;
        Ok(records.pop().flatten())
    }

    pub(super) async fn values(&self, keys: &[Key]) -> CaseResult<Vec<Option<Value>>> {
        let records = self.records(keys).await?;
        Ok(records.into_iter().map(|record| record.map(|record| Value(record.bytes))).collect())
    }

    pub(super) async fn value(&self, name: &str) -> CaseResult<Option<Value>> {
        Ok(self.record(&key(name)).await?.map(|record| Value(record.bytes)))
    }

    /// Reads a record that must exist.
    pub(super) async fn existing(&self, name: &str) -> CaseResult<Record> {
        let record = self.record(&key(name)).await?;
        record.ok_or_else(|| CaseError::mismatch(format_args!("a record under {name}"), "none"))
    }

    /// Puts a value without an expectation.
    pub(super) async fn put(&self, name: &str, value: &str) -> CaseResult<Revision> {
        self.put_bytes(&key(name), value.as_bytes().into()).await
    }

    pub(super) async fn put_bytes(&self, key: &Key, bytes: Arc<[u8]>) -> CaseResult<Revision> {
        match self.write_one(Write::put(key.clone(), bytes)).await? {
            Outcome::Stored(revision) => Ok(revision),
            other => Err(CaseError::mismatch("Stored", OutcomeKind::from(&other))),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> CaseResult {
        match self.write_one(Write::delete(key(name))).await? {
            Outcome::Deleted => Ok(()),
            other => Err(CaseError::mismatch("Deleted", OutcomeKind::from(&other))),
        }
    }

    /// Writes an atomic batch of one write.
    pub(super) async fn write_one(&self, write: Write) -> CaseResult<Outcome> {
        let mut outcomes = self.write(&Batch::atomic(vec![write])).await?;
        outcomes.pop().ok_or_else(|| CaseError::mismatch("one outcome", "none"))
    }

    /// Writes a batch, and checks that there is one outcome for each write.
    pub(super) async fn write(&self, batch: &Batch) -> CaseResult<Vec<Outcome>> {
        let outcomes = self.adapter.write(&self.space, batch).await?;
        ensure(
            outcomes.len() == batch.writes.len(),
            &format!("{} outcomes for {} writes", batch.writes.len(), batch.writes.len()),
            format_args!("{} outcomes", outcomes.len()),
        )?;
        Ok(outcomes)
    }

    /// Puts the same value under each key, in as few calls as the capabilities allow.
    pub(super) async fn put_all(&self, keys: &[Key], value: &str) -> CaseResult {
        for keys in keys.chunks(self.up_to_max_batch(500)) {
            let puts = keys.iter().map(|key| Write::put(key.clone(), value.as_bytes())).collect();
            for outcome in self.write(&Batch::each(puts)).await? {
                let kind = OutcomeKind::from(&outcome);
                ensure(kind == OutcomeKind::Stored, "every put stored", kind)?;
            }
        }
        Ok(())
    }

    /// Reads one page, and checks what holds for every page.
    pub(super) async fn page(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> CaseResult<Page> {
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        let scan = Scan { prefix: prefix.to_owned(), after: after.cloned(), limit };
        let page = self.adapter.scan(&self.space, &scan).await?;
        let keys = || format!("{:?}", page_keys(&page));
        ensure(
            page.records.len() <= limit.get(),
            &format!("at most {limit} records in a page"),
            page.records.len(),
        )?;
        ensure(
            page.records.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "keys in ascending byte order",
            keys(),
        )?;
        ensure(
            page.records.iter().all(|(key, _)| key.as_str().starts_with(prefix)),
            &format!("only keys that begin with {prefix:?}"),
            keys(),
        )?;
        if let Some(after) = after {
            ensure(
                page.records.iter().all(|(key, _)| key > after),
                &format!("only keys after {after}"),
                keys(),
            )?;
        }
        if let Some(next) = &page.next {
            let last = page.records.last().map(|(key, _)| key).max(after);
            ensure(
                last.is_none_or(|last| next >= last) && after != Some(next),
                "a next page that begins further on",
                format_args!("next is {next}"),
            )?;
        }
        Ok(page)
    }

    /// Reads all pages of a scan.
    pub(super) async fn scan(&self, prefix: &str, limit: usize) -> CaseResult<Vec<(Key, Record)>> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(prefix, after.as_ref(), limit).await?;
            if let Some(error) = page.unreadable.first() {
                let got = format!("{} unreadable: {error}", page.unreadable.len());
                return Err(CaseError::mismatch("everything readable", got));
            }
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                next => after = next,
            }
        }
    }

    /// Reads the keys of the first records after a key, from as many pages as it takes.
    pub(super) async fn keys_after(
        &self,
        prefix: &str,
        after: &Key,
        limit: usize,
    ) -> CaseResult<Vec<String>> {
        let (mut keys, mut after) = (Vec::new(), Some(after.clone()));
        while let Some(from) = &after
            && keys.len() < limit
        {
            let page = self.page(prefix, Some(from), limit - keys.len()).await?;
            keys.extend(page_keys(&page).into_iter().map(str::to_owned));
            after = page.next;
        }
        Ok(keys)
    }

    /// Reads the keys of all pages of a scan.
    pub(super) async fn scan_keys(&self, prefix: &str, limit: usize) -> CaseResult<Vec<String>> {
        let records = self.scan(prefix, limit).await?;
        Ok(records.into_iter().map(|(key, _)| key.to_string()).collect())
    }
}

/// `count`, or as much of it as one call may hold.
pub(super) fn up_to_max_batch(capabilities: &Capabilities, count: usize) -> usize {
    capabilities.max_batch.map_or(count, |max| max.get().min(count))
}

pub(super) fn page_keys(page: &Page) -> Vec<&str> {
    page.records.iter().map(|(key, _)| key.as_str()).collect()
}
