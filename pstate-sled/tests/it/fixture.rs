//! A store in a directory of its own.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pstate_core::{Adapter, Batch, Key, Outcome, Page, Scan, Space, Write};
use pstate_sled::{SledAdapter, SledConfig};
use tempfile::TempDir;

/// A directory for one test, removed at its end.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> SledAdapter {
        self.open_with(SledConfig::default())
    }

    pub(crate) fn open_with(&self, config: SledConfig) -> SledAdapter {
        SledAdapter::open_with(self.path("app"), config).unwrap()
    }

    /// The database without the adapter, as another program would have it.
    pub(crate) fn raw(&self) -> sled::Db {
        sled::open(self.path("app")).unwrap()
    }
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub(crate) fn keys(count: usize) -> Vec<Key> {
    (0..count).map(|n| key(&format!("card:{n:05}"))).collect()
}

pub(crate) fn put_write(text: &str, bytes: impl AsRef<[u8]>) -> Write {
    Write::put(key(text), bytes.as_ref())
}

/// The same bytes under each key.
pub(crate) fn same(keys: &[Key], bytes: &str) -> Batch {
    Batch::atomic(keys.iter().map(|key| Write::put(key.clone(), bytes.as_bytes())).collect())
}

pub(crate) async fn put(store: &SledAdapter, text: &str, bytes: impl AsRef<[u8]>) {
    let batch = Batch::atomic(vec![put_write(text, bytes)]);
    let outcomes = store.write(&Space::default(), &batch).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
}

pub(crate) async fn get(store: &SledAdapter, text: &str) -> Option<Vec<u8>> {
    let records = store.multi_get(&Space::default(), &[key(text)]).await.unwrap();
    assert_eq!(records.len(), 1);
    records[0].as_ref().map(|record| record.bytes.to_vec())
}

pub(crate) async fn page(
    store: &SledAdapter,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Page {
    let scan = Scan {
        prefix: prefix.to_owned(),
        after: after.map(key),
        limit: NonZeroUsize::new(limit).unwrap(),
    };
    store.scan(&Space::default(), &scan).await.unwrap()
}

/// The keys of all pages, and what was reported as unreadable.
pub(crate) async fn scan_all(
    store: &SledAdapter,
    prefix: &str,
    limit: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let page = page(store, prefix, after.as_deref(), limit).await;
        assert!(page.records.len() <= limit);
        found.extend(page.records.iter().map(|(key, _)| key.to_string()));
        unreadable.extend(page.unreadable.iter().map(ToString::to_string));
        match page.next {
            Some(next) => after = Some(next.to_string()),
            None => return (found, unreadable),
        }
    }
}

pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
