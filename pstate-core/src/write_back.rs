//! The documents that wait to be written back.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::cache::CacheKey;
use crate::document::Document;
use crate::space::Space;

/// A bounded queue with one entry for each key. Every operation on an entry is O(1).
pub(crate) struct WriteBackQueue {
    state: Mutex<State>,
    changed: Notify,
    limit: usize,
    /// From how many entries on the writer is woken at once.
    full: usize,
}

#[derive(Default)]
struct State {
    documents: HashMap<CacheKey, Document, RandomState>,
    /// The keys of `documents`, each once, the oldest first.
    order: VecDeque<CacheKey>,
    dropped: u64,
}

impl State {
    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.documents.remove(&oldest);
            self.dropped += 1;
        }
    }
}

impl WriteBackQueue {
    pub(crate) fn new(limit: usize, full: usize) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), limit, full }
    }

    /// Queues a document; one that waits under the same key is replaced in its place.
    pub(crate) fn push(&self, key: CacheKey, document: Document) {
        let mut state = self.state.lock();
        match state.documents.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.insert(document);
                return;
            }
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(document);
                state.order.push_back(key);
            }
        }
        if state.order.len() > self.limit {
            state.drop_oldest();
        }
        let len = state.order.len();
        drop(state);
        if len == 1 || len >= self.full {
            self.changed.notify_one();
        }
    }

    /// Takes up to `count` entries, the oldest first.
    pub(crate) fn take(&self, count: usize) -> Vec<(CacheKey, Document)> {
        let mut state = self.state.lock();
        let count = count.min(state.order.len());
        let keys: Vec<CacheKey> = state.order.drain(..count).collect();
        keys.into_iter()
            .filter_map(|key| state.documents.remove(&key).map(|document| (key, document)))
            .collect()
    }

    /// Puts entries that could not be written back to the front, where no newer one waits.
    pub(crate) fn put_back(&self, space: &Space, documents: Vec<Document>) {
        let mut state = self.state.lock();
        for document in documents.into_iter().rev() {
            let key = CacheKey { space: space.clone(), key: document.key().clone() };
            if let Entry::Vacant(entry) = state.documents.entry(key) {
                let key = entry.key().clone();
                entry.insert(document);
                state.order.push_front(key);
            }
        }
        while state.order.len() > self.limit {
            state.drop_oldest();
        }
    }

    /// Waits until there is something to look at: a first entry, or enough for a batch.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::{Record, Revision};

    fn entry(id: u32, revision: u128) -> (CacheKey, Document) {
        let key: crate::Key = format!("card:{id}").parse().unwrap();
        let record = Record { bytes: Arc::from(*b"{}"), revision: Revision::from_number(revision) };
        let document = Document::load(key.clone(), record).unwrap();
        (CacheKey { space: Space::default(), key }, document)
    }

    fn queue_of(limit: usize, ids: impl IntoIterator<Item = u32>) -> WriteBackQueue {
        let queue = WriteBackQueue::new(limit, 100);
        for id in ids {
            let (key, document) = entry(id, 0);
            queue.push(key, document);
        }
        queue
    }

    fn ids(queue: &WriteBackQueue) -> Vec<String> {
        queue.take(usize::MAX).into_iter().map(|(key, _)| key.key.id().to_owned()).collect()
    }

    #[test]
    fn a_key_waits_once_with_its_newest_document() {
        let queue = queue_of(10, [1, 2]);
        let (key, newer) = entry(1, 7);
        queue.push(key, newer);
        let taken = queue.take(10);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0].1.revision(), Revision::from_number(7));
    }

    #[test]
    fn a_full_queue_drops_its_oldest_and_counts_it() {
        let queue = queue_of(3, 1..=5);
        assert_eq!(queue.dropped(), 2);
        assert_eq!(ids(&queue), ["3", "4", "5"]);
    }

    #[test]
    fn what_is_put_back_comes_first_unless_a_newer_one_waits() {
        let queue = queue_of(10, [1, 2, 3]);
        let taken: Vec<_> = queue.take(2).into_iter().map(|(_, document)| document).collect();
        let (key, newer) = entry(2, 9);
        queue.push(key, newer);
        queue.put_back(&Space::default(), taken);
        let taken = queue.take(10);
        let seen: Vec<_> =
            taken.iter().map(|(key, document)| (key.key.id(), document.revision())).collect();
        let revision = Revision::from_number;
        assert_eq!(seen, [("1", revision(0)), ("3", revision(0)), ("2", revision(9))]);
    }
}
