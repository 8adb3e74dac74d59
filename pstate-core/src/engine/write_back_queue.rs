//! The documents that wait to be written back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use tokio::sync::Notify;

use crate::cache::CacheKey;
use crate::document::Document;
use crate::model::{Key, Revision, Space};
use crate::runtime::Mutex;

/// A queue with one entry for each key, bounded in entries and bytes. Every operation on an entry
/// is O(1).
pub(crate) struct WriteBackQueue {
    state: Mutex<State>,
    changed: Notify,
    limits: QueueLimits,
    /// How often write-backs were [settled](Self::settle): the queue's clock.
    settlements: AtomicU64,
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
    /// What was taken and not settled yet: each key with the revision that a write-back replaces.
    in_hand: HashMap<CacheKey, Revision, RandomState>,
    /// The last that were settled, the oldest first: each with the revision that was replaced, and
    /// when.
    settled: LinkedHashMap<CacheKey, (Revision, u64), RandomState>,
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

    fn pop(&mut self) -> Option<(CacheKey, Document)> {
        let (key, document) = self.entries.pop_front()?;
        self.bytes -= document.bytes().len();
        Some((key, document))
    }

    /// How many wait, and how many more are being written.
    fn lens(&self) -> (usize, usize) {
        (self.entries.len(), self.in_hand.len())
    }

    /// Whether a write-back replaces what was read, or has replaced it since the read began:
    /// another one could only fail.
    fn is_overtaken(&self, key: &CacheKey, read: Revision, began: u64) -> bool {
        self.in_hand.get(key) == Some(&read)
            || self.settled.get(key).is_some_and(|(replaced, at)| *replaced == read && *at > began)
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
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            limits,
            settlements: AtomicU64::new(0),
        }
    }

    /// The time of the queue, which [`push`](Self::push) needs from before a read.
    pub(crate) fn now(&self) -> u64 {
        self.settlements.load(SeqCst)
    }

    /// Queues a document that a read has migrated which `began` at this time; one that waits under
    /// the same key is replaced in its place. If its own write-back is under way or has just ended,
    /// it is not queued again. Returns how many wait now, and how many more are being written.
    pub(crate) fn push(&self, space: &Space, document: Document, began: u64) -> (usize, usize) {
        let mut state = self.state.lock();
        let key = cache_key(space, &document);
        if state.is_overtaken(&key, document.revision(), began) {
            return state.lens();
        }
        if state.closed {
            state.dropped += 1;
            return state.lens();
        }
        let before = state.entries.len();
        state.push(key, document);
        state.drop_oldest_beyond(&self.limits);
        let lens = state.lens();
        drop(state);
        if before == 0 || lens.0 >= self.limits.full {
            self.changed.notify_one();
        }
        lens
    }

    /// Takes up to `count` entries, the oldest first, until each is [settled](Self::settle) or
    /// [put back](Self::put_back).
    pub(crate) fn take(&self, count: usize) -> Vec<(Space, Document)> {
        let mut state = self.state.lock();
        let count = count.min(state.entries.len());
        let take = |_| {
            let (key, document) = state.pop()?;
            let space = key.space.clone();
            state.in_hand.insert(key, document.revision());
            Some((space, document))
        };
        (0..count).map_while(take).collect()
    }

    /// Ends write-backs, whatever became of them, of documents with the revisions that they
    /// replaced. What waits and was migrated from one of these need not be written any more.
    pub(crate) fn settle(&self, space: &Space, written: impl IntoIterator<Item = (Key, Revision)>) {
        let mut state = self.state.lock();
        // Before the time is read again: a read that begins from now on sees what was written.
        let now = self.settlements.fetch_add(1, SeqCst) + 1;
        for (key, replaced) in written {
            let key = CacheKey { space: space.clone(), key };
            state.in_hand.remove(&key);
            if state.entries.get(&key).is_some_and(|waiting| waiting.revision() == replaced)
                && let Some(waiting) = state.entries.remove(&key)
            {
                state.bytes -= waiting.bytes().len();
            }
            state.settled.remove(&key);
            state.settled.insert(key, (replaced, now));
        }
        while state.settled.len() > self.limits.entries {
            state.settled.pop_front();
        }
    }

    /// Queues entries again that could not be written back, where no newer one waits. They come
    /// last, so that one that never can be written does not stand in the way of others.
    pub(crate) fn put_back(&self, space: &Space, documents: Vec<Document>) {
        let mut state = self.state.lock();
        for document in documents {
            let key = cache_key(space, &document);
            state.in_hand.remove(&key);
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

    /// How many wait, and how many more are being written.
    pub(crate) fn lens(&self) -> (usize, usize) {
        self.state.lock().lens()
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
            queue.push(&Space::default(), document, 0);
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
        queue.push(&Space::default(), newer, 0);
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
        queue.push(&Space::default(), late, 0);
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
        queue.push(&Space::default(), newer, 0);
        queue.put_back(&Space::default(), taken);
        let taken = queue.take(10);
        let seen: Vec<_> =
            taken.iter().map(|(_, document)| (document.key().id(), document.revision())).collect();
        let revision = Revision::from_number;
        assert_eq!(seen, [("3", revision(0)), ("2", revision(9)), ("1", revision(0))]);
    }

    #[test]
    fn what_is_being_written_back_is_not_queued_again_nor_for_reads_that_began_before_its_end() {
        let (space, queue) = (Space::default(), queue_of(10, [1, 2]));
        let began = queue.now();
        let read_again = |id, revision, began| queue.push(&space, entry(id, revision), began).0;
        let settle = |id: u32, revision| {
            let document = entry(id, revision);
            queue.settle(&space, [(document.key().clone(), document.revision())]);
        };
        assert_eq!(queue.take(1).len(), 1);
        assert_eq!(read_again(1, 0, began), 1);
        settle(1, 0);
        assert_eq!(read_again(1, 0, began), 1);
        // What was there before may be there again.
        assert_eq!(read_again(1, 0, queue.now()), 2);
        // Another revision is another document.
        assert_eq!(read_again(3, 0, began), 3);
        settle(3, 1);
        assert_eq!(queue.len(), 3);
        // A sweep has stored what waits.
        settle(3, 0);
        assert_eq!(queue.len(), 2);
        let taken = queue.take(1).into_iter().map(|(_, document)| document).collect();
        queue.put_back(&space, taken);
        assert_eq!((read_again(2, 7, began), queue.len()), (2, 2));
        assert!(queue.state.lock().in_hand.is_empty());
    }
}
