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
    /// What was taken and not settled yet.
    in_hand: HashMap<CacheKey, Document, RandomState>,
    /// The last that were settled, the oldest first, and when.
    settled: LinkedHashMap<CacheKey, (Document, u64), RandomState>,
    /// Of the documents in `settled`.
    settled_bytes: usize,
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

    /// The document of a write-back that replaces what was read, or has replaced it since the read
    /// began: another one could only fail.
    fn overtaking(&self, key: &CacheKey, read: Revision, began: u64) -> Option<&Document> {
        let in_hand = self.in_hand.get(key).filter(|document| document.revision() == read);
        in_hand.or_else(|| {
            let (document, at) = self.settled.get(key)?;
            (document.revision() == read && *at > began).then_some(document)
        })
    }

    /// What waits under a key, if it was migrated from this revision.
    fn waiting(&self, key: &CacheKey, read: Revision) -> Option<&Document> {
        self.entries.get(key).filter(|document| document.revision() == read)
    }

    fn remove(&mut self, key: &CacheKey) -> Option<Document> {
        let document = self.entries.remove(key)?;
        self.bytes -= document.bytes().len();
        Some(document)
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

    /// What an earlier read has made of a document of this revision, while its write-back waits or
    /// is under way, and for reads that `began` before its end. A step need not give the same
    /// result twice: all reads agree on the first one, which is the one that gets stored.
    pub(crate) fn find(
        &self,
        space: &Space,
        key: &Key,
        read: Revision,
        began: u64,
    ) -> Option<Document> {
        let state = self.state.lock();
        let key = CacheKey { space: space.clone(), key: key.clone() };
        state.overtaking(&key, read, began).or_else(|| state.waiting(&key, read)).cloned()
    }

    /// Queues a document that a read has migrated which `began` at this time; one that waits under
    /// the same key and was migrated from another revision is replaced in its place.
    ///
    /// Returns the document to serve: what another read has made of the same revision in the
    /// meantime, if one has; see [`find`](Self::find). And how many wait now, and how many more
    /// are being written.
    pub(crate) fn push(
        &self,
        space: &Space,
        document: Document,
        began: u64,
    ) -> (Document, (usize, usize)) {
        let mut state = self.state.lock();
        let (key, read) = (cache_key(space, &document), document.revision());
        if let Some(agreed) = state.overtaking(&key, read, began).or(state.waiting(&key, read)) {
            return (agreed.clone(), state.lens());
        }
        if state.closed {
            state.dropped += 1;
            return (document, state.lens());
        }
        let before = state.entries.len();
        state.push(key, document.clone());
        state.drop_oldest_beyond(&self.limits);
        let lens = state.lens();
        drop(state);
        if before == 0 || lens.0 >= self.limits.full {
            self.changed.notify_one();
        }
        (document, lens)
    }

    /// Takes up to `count` entries, the oldest first, until each is [settled](Self::settle) or
    /// [put back](Self::put_back).
    pub(crate) fn take(&self, count: usize) -> Vec<(Space, Document)> {
        let mut state = self.state.lock();
        let count = count.min(state.entries.len());
        let take = |_| {
            let (key, document) = state.pop()?;
            let space = key.space.clone();
            state.in_hand.insert(key, document.clone());
            Some((space, document))
        };
        (0..count).map_while(take).collect()
    }

    /// Takes documents in hand that a sweep has migrated, until each is [settled](Self::settle) or
    /// the returned value is dropped; what reads have made of the same revisions takes their place.
    pub(crate) fn take_over<'a>(
        &'a self,
        space: &'a Space,
        documents: &mut [Document],
    ) -> TakenOver<'a> {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(documents.len());
        for document in documents {
            let (key, read) = (cache_key(space, document), document.revision());
            if let Some(in_hand) = state.in_hand.get(&key) {
                if in_hand.revision() == read {
                    *document = in_hand.clone();
                }
                continue;
            }
            if state.waiting(&key, read).is_some()
                && let Some(waiting) = state.remove(&key)
            {
                *document = waiting;
            }
            taken.push((document.key().clone(), read));
            state.in_hand.insert(key, document.clone());
        }
        TakenOver { queue: self, space, taken }
    }

    /// Ends write-backs, whatever became of them. What waits and was migrated from a revision that
    /// one of them has replaced need not be written any more.
    pub(crate) fn settle(&self, space: &Space, written: impl IntoIterator<Item = Document>) {
        let mut state = self.state.lock();
        // Before the time is read again: a read that begins from now on sees what was written.
        let now = self.settlements.fetch_add(1, SeqCst) + 1;
        for document in written {
            let key = cache_key(space, &document);
            state.in_hand.remove(&key);
            if state.waiting(&key, document.revision()).is_some() {
                state.remove(&key);
            }
            if let Some((earlier, _)) = state.settled.remove(&key) {
                state.settled_bytes -= earlier.bytes().len();
            }
            state.settled_bytes += document.bytes().len();
            state.settled.insert(key, (document, now));
        }
        while state.settled.len() > self.limits.entries || state.settled_bytes > self.limits.bytes {
            let Some((_, (oldest, _))) = state.settled.pop_front() else { break };
            state.settled_bytes -= oldest.bytes().len();
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

/// Documents that a sweep has taken in hand. When it is dropped, those that were not settled can be
/// queued again.
pub(crate) struct TakenOver<'a> {
    queue: &'a WriteBackQueue,
    space: &'a Space,
    taken: Vec<(Key, Revision)>,
}

impl Drop for TakenOver<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        for (key, revision) in self.taken.drain(..) {
            let key = CacheKey { space: self.space.clone(), key };
            if state.in_hand.get(&key).is_some_and(|document| document.revision() == revision) {
                state.in_hand.remove(&key);
            }
        }
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
        let read_again = |id, revision, began| queue.push(&space, entry(id, revision), began).1.0;
        let settle = |id: u32, revision| queue.settle(&space, [entry(id, revision)]);
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
