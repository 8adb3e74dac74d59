//! The documents that wait to be written back.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use tokio::sync::Notify;

use crate::cache::CacheKey;
use crate::document::Document;
use crate::runtime::Mutex;
use crate::space::Space;

/// A queue with one entry for each key, bounded in entries and bytes. Every operation on an entry
/// is O(1).
pub(crate) struct WriteBackQueue {
    state: Mutex<State>,
    changed: Notify,
    limits: QueueLimits,
}

/// How much a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueLimits {
    pub(crate) entries: usize,
    /// Of documents; a single one may be longer.
    pub(crate) bytes: usize,
    /// From how many entries on the writer is woken at once.
    pub(crate) full: usize,
}

#[derive(Default)]
struct State {
    documents: HashMap<CacheKey, Document, RandomState>,
    /// The keys of `documents`, each once, the oldest first.
    order: VecDeque<CacheKey>,
    /// Of all documents.
    bytes: usize,
    dropped: u64,
    /// Whether nobody empties the queue any more.
    closed: bool,
}

impl State {
    /// Adds a document at the end, or replaces the one that waits under the same key in its place.
    fn push(&mut self, key: CacheKey, document: Document) {
        self.bytes += document.bytes().len();
        match self.documents.entry(key) {
            Entry::Occupied(mut entry) => {
                let replaced = entry.insert(document);
                self.bytes -= replaced.bytes().len();
            }
            Entry::Vacant(entry) => {
                self.order.push_back(entry.key().clone());
                entry.insert(document);
            }
        }
    }

    fn pop(&mut self) -> Option<(CacheKey, Document)> {
        let key = self.order.pop_front()?;
        let document = self.documents.remove(&key)?;
        self.bytes -= document.bytes().len();
        Some((key, document))
    }

    fn drop_oldest_beyond(&mut self, limits: &QueueLimits) {
        while self.order.len() > limits.entries
            || (self.bytes > limits.bytes && self.order.len() > 1)
        {
            self.pop();
            self.dropped += 1;
        }
    }
}

impl WriteBackQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), limits }
    }

    /// Queues a document; one that waits under the same key is replaced in its place.
    pub(crate) fn push(&self, key: CacheKey, document: Document) {
        let mut state = self.state.lock();
        if state.closed {
            state.dropped += 1;
            return;
        }
        let before = state.order.len();
        state.push(key, document);
        state.drop_oldest_beyond(&self.limits);
        let len = state.order.len();
        drop(state);
        if before == 0 || len >= self.limits.full {
            self.changed.notify_one();
        }
    }

    /// Takes up to `count` entries, the oldest first.
    pub(crate) fn take(&self, count: usize) -> Vec<(CacheKey, Document)> {
        let mut state = self.state.lock();
        let count = count.min(state.order.len());
        (0..count).map_while(|_| state.pop()).collect()
    }

    /// Queues entries again that could not be written back, where no newer one waits. They come
    /// last, so that one that never can be written does not stand in the way of others.
    pub(crate) fn put_back(&self, space: &Space, documents: Vec<Document>) {
        let mut state = self.state.lock();
        for document in documents {
            let key = CacheKey { space: space.clone(), key: document.key().clone() };
            if !state.documents.contains_key(&key) {
                state.push(key, document);
            }
        }
        state.drop_oldest_beyond(&self.limits);
    }

    /// Drops all that is queued from now on, and says how many entries are left.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state.lock();
        state.closed = true;
        state.order.len()
    }

    /// Waits until there is something to look at: a first entry, or enough for a batch.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().order.len()
    }

    /// How many entries were dropped because the queue was full, or closed.
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
        queue_within(QueueLimits { entries: limit, bytes: usize::MAX, full: 100 }, ids)
    }

    fn queue_within(limits: QueueLimits, ids: impl IntoIterator<Item = u32>) -> WriteBackQueue {
        let queue = WriteBackQueue::new(limits);
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
    fn a_closed_queue_keeps_what_it_has_and_drops_what_comes() {
        let queue = queue_of(3, 1..=2);
        assert_eq!(queue.close(), 2);
        let (key, late) = entry(3, 0);
        queue.push(key, late);
        assert_eq!((queue.len(), queue.dropped()), (2, 1));
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_but_holds_one_document_of_any_length() {
        let limits = |bytes| QueueLimits { entries: 10, bytes, full: 100 };
        let queue = queue_within(limits(6), 1..=5);
        assert_eq!(queue.dropped(), 2);
        assert_eq!(ids(&queue), ["3", "4", "5"]);
        assert_eq!(queue.state.lock().bytes, 0);
        assert_eq!(ids(&queue_within(limits(1), 1..=2)), ["2"]);
    }

    #[test]
    fn replacing_a_document_counts_its_bytes_once() {
        let queue = queue_of(10, [1, 1, 2, 1]);
        assert_eq!(queue.state.lock().bytes, 4);
    }

    #[test]
    fn what_is_put_back_comes_last_unless_a_newer_one_waits() {
        let queue = queue_of(10, [1, 2, 3]);
        let taken: Vec<_> = queue.take(2).into_iter().map(|(_, document)| document).collect();
        let (key, newer) = entry(2, 9);
        queue.push(key, newer);
        queue.put_back(&Space::default(), taken);
        let taken = queue.take(10);
        let seen: Vec<_> =
            taken.iter().map(|(key, document)| (key.key.id(), document.revision())).collect();
        let revision = Revision::from_number;
        assert_eq!(seen, [("3", revision(0)), ("2", revision(9)), ("1", revision(0))]);
    }
}
