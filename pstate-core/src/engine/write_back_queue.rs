//! The documents that wait to be written back.

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use tokio::sync::Notify;

use crate::cache::CacheKey;
use crate::document::Document;
use crate::model::Space;
use crate::runtime::Mutex;

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
    /// The oldest first, each key once.
    entries: LinkedHashMap<CacheKey, Document, RandomState>,
    /// Of all documents.
    bytes: usize,
    dropped: u64,
    /// Set when no task empties the queue any more.
    closed: bool,
}

impl State {
    /// Adds a document at the end, or replaces the one that waits under the same key in its place.
    fn push(&mut self, key: CacheKey, document: Document) {
        self.bytes += document.bytes().len();
        if let Some(waiting) = self.entries.get_mut(&key) {
            let replaced = std::mem::replace(waiting, document);
            self.bytes -= replaced.bytes().len();
        } else {
            self.entries.insert(key, document);
        }
    }

    fn pop(&mut self) -> Option<(Space, Document)> {
        let (CacheKey { space, .. }, document) = self.entries.pop_front()?;
        self.bytes -= document.bytes().len();
        Some((space, document))
    }

    fn drop_oldest_beyond(&mut self, limits: &QueueLimits) {
        while self.entries.len() > limits.entries
            || (self.bytes > limits.bytes && self.entries.len() > 1)
        {
            self.pop();
            self.dropped += 1;
        }
    }
}

fn cache_key(space: &Space, document: &Document) -> CacheKey {
    CacheKey { space: space.clone(), key: document.key().clone() }
}

impl WriteBackQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), limits }
    }

    /// Queues a document; one that waits under the same key is replaced in its place. Returns how
    /// many wait now.
    pub(crate) fn push(&self, space: &Space, document: Document) -> usize {
        let mut state = self.state.lock();
        if state.closed {
            state.dropped += 1;
            return state.entries.len();
        }
        let before = state.entries.len();
        state.push(cache_key(space, &document), document);
        state.drop_oldest_beyond(&self.limits);
        let len = state.entries.len();
        drop(state);
        if before == 0 || len >= self.limits.full {
            self.changed.notify_one();
        }
        len
    }

    /// Takes up to `count` entries, the oldest first.
    pub(crate) fn take(&self, count: usize) -> Vec<(Space, Document)> {
        let mut state = self.state.lock();
        let count = count.min(state.entries.len());
        (0..count).map_while(|_| state.pop()).collect()
    }

    /// Queues entries again that could not be written back, where no newer one waits. They come
    /// last, so that one that never can be written does not stand in the way of others.
    pub(crate) fn put_back(&self, space: &Space, documents: Vec<Document>) {
        let mut state = self.state.lock();
        for document in documents {
            let key = cache_key(space, &document);
            if !state.entries.contains_key(&key) {
                state.push(key, document);
            }
        }
        state.drop_oldest_beyond(&self.limits);
    }

    /// Drops all that is queued from now on, and says how many entries are left.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state.lock();
        state.closed = true;
        state.entries.len()
    }

    /// Waits until there is something to look at: a first entry, or enough for a batch.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().entries.len()
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
    use crate::model::{Key, Record, Revision};

    fn entry(id: u32, revision: u128) -> Document {
        let key: Key = format!("card:{id}").parse().unwrap();
        let record = Record { bytes: Arc::from(*b"{}"), revision: Revision::from_number(revision) };
        Document::load(key, record).unwrap()
    }

    fn queue_of(limit: usize, ids: impl IntoIterator<Item = u32>) -> WriteBackQueue {
        queue_within(QueueLimits { entries: limit, bytes: usize::MAX, full: 100 }, ids)
    }

    fn queue_within(limits: QueueLimits, ids: impl IntoIterator<Item = u32>) -> WriteBackQueue {
        let queue = WriteBackQueue::new(limits);
        for id in ids {
            let document = entry(id, 0);
            queue.push(&Space::default(), document);
        }
        queue
    }

    fn ids(queue: &WriteBackQueue) -> Vec<String> {
        queue
            .take(usize::MAX)
            .into_iter()
            .map(|(_, document)| document.key().id().to_owned())
            .collect()
    }

    #[test]
    fn a_key_waits_once_with_its_newest_document() {
        let queue = queue_of(10, [1, 2]);
        let newer = entry(1, 7);
        queue.push(&Space::default(), newer);
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
        let late = entry(3, 0);
        queue.push(&Space::default(), late);
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
        let newer = entry(2, 9);
        queue.push(&Space::default(), newer);
        queue.put_back(&Space::default(), taken);
        let taken = queue.take(10);
        let seen: Vec<_> =
            taken.iter().map(|(_, document)| (document.key().id(), document.revision())).collect();
        let revision = Revision::from_number;
        assert_eq!(seen, [("3", revision(0)), ("2", revision(9)), ("1", revision(0))]);
    }
}
