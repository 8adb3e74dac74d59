//! The documents that wait to be written back.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tokio::sync::Notify;

use crate::document::Document;
use crate::key::Key;
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
    /// The oldest first, each key once.
    entries: VecDeque<(Space, Document)>,
    /// Where the entry of a key stands. Hashes are kept, so that growing reads no keys: it happens
    /// while a reader waits.
    places: HashTable<Place>,
    hasher: RandomState,
    /// How many entries were taken from the front.
    taken: u64,
    /// Of all documents.
    bytes: usize,
    dropped: u64,
    /// Whether nobody empties the queue any more.
    closed: bool,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
struct Place {
    hash: u64,
    /// Counted from the first entry that ever was.
    number: u64,
}

impl State {
    /// Adds a document at the end, or replaces the one that waits under the same key in its place.
    fn push(&mut self, space: Space, document: Document) {
        self.bytes += document.bytes().len();
        let hash = self.hash(&space, document.key());
        if let Some(at) = self.find(hash, &space, document.key()) {
            let replaced = std::mem::replace(&mut self.entries[at].1, document);
            self.bytes -= replaced.bytes().len();
        } else {
            let number = self.taken + self.entries.len() as u64;
            self.places.insert_unique(hash, Place { hash, number }, |place| place.hash);
            self.entries.push_back((space, document));
        }
    }

    fn hash(&self, space: &Space, key: &Key) -> u64 {
        self.hasher.hash_one((space, key))
    }

    /// The index of a key's entry.
    fn find(&self, hash: u64, space: &Space, key: &Key) -> Option<usize> {
        let same = |place: &Place| {
            let (other, document) = &self.entries[self.index(*place)];
            document.key() == key && other == space
        };
        // The table compares a few bits of the hash; what follows reads another part of memory.
        let found = self.places.find(hash, |place| place.hash == hash && same(place));
        found.map(|place| self.index(*place))
    }

    fn index(&self, place: Place) -> usize {
        // Less than there are entries, so it fits.
        usize::try_from(place.number - self.taken).unwrap_or(usize::MAX)
    }

    fn contains(&self, space: &Space, key: &Key) -> bool {
        self.find(self.hash(space, key), space, key).is_some()
    }

    fn pop(&mut self) -> Option<(Space, Document)> {
        let (space, document) = self.entries.pop_front()?;
        let (hash, number) = (self.hash(&space, document.key()), self.taken);
        if let Ok(place) = self.places.find_entry(hash, |place| place.number == number) {
            place.remove();
        }
        self.taken += 1;
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

impl WriteBackQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), limits }
    }

    /// Queues a document; one that waits under the same key is replaced in its place. Returns how
    /// many wait now.
    pub(crate) fn push(&self, space: Space, document: Document) -> usize {
        let mut state = self.state.lock();
        if state.closed {
            state.dropped += 1;
            return state.entries.len();
        }
        let before = state.entries.len();
        state.push(space, document);
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
            if !state.contains(space, document.key()) {
                state.push(space.clone(), document);
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
    use crate::record::{Record, Revision};

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
            queue.push(Space::default(), document);
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
        queue.push(Space::default(), newer);
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
        queue.push(Space::default(), late);
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
        queue.push(Space::default(), newer);
        queue.put_back(&Space::default(), taken);
        let taken = queue.take(10);
        let seen: Vec<_> =
            taken.iter().map(|(_, document)| (document.key().id(), document.revision())).collect();
        let revision = Revision::from_number;
        assert_eq!(seen, [("3", revision(0)), ("2", revision(9)), ("1", revision(0))]);
    }
}
