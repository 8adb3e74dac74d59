//! Puts of single records, which are sent together if there are many.
//!
//! A transaction costs several times what one more record in it costs, both here and at the server.
//! While few puts are under way, each is sent at once. With more, those that tasks make in one turn
//! of the executor become one transaction for each type, so that an index with which something is
//! wrong concerns all records of its transaction anyway. None waits for an answer to another.
//!
//! A task sends them, so that no call waits for a future that is not polled; and each runtime has
//! its own, because one that is not driven runs no tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pstate_core::{Space, Write};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use crate::error::Failure;

/// Up to how many puts are few.
const FEW: usize = 4;

/// How many records, and how many bytes of them, go in one transaction.
const MAX_WRITES: usize = 128;
const MAX_BYTES: usize = 256 * 1024;

/// Puts that will be sent by the task that the first of them starts.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    under_way: AtomicUsize,
    groups: Mutex<Vec<Group>>,
}

/// Counts a put until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

/// A put that will be sent with others.
#[derive(Debug)]
pub(crate) struct Joined {
    /// Whether it was stored.
    pub(crate) answer: oneshot::Receiver<Result<(), Failure>>,
    /// What the caller has to start a task for, if it is the first of its runtime.
    pub(crate) gathered: Option<Gathered>,
}

/// Puts of one type in one space, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Group {
    runtime: Id,
    pub(crate) space: Space,
    puts: Vec<Write>,
    callers: Vec<oneshot::Sender<Result<(), Failure>>>,
    bytes: usize,
}

impl Gathering {
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    /// Adds a put to those that will be sent together. `None` if it has to be sent by itself: there
    /// are few, or it would be too much.
    pub(crate) fn join(self: &Arc<Self>, space: &Space, put: &Write) -> Option<Joined> {
        if self.under_way.load(Ordering::Relaxed) <= FEW || put.value_len() > MAX_BYTES {
            return None;
        }
        let runtime = Handle::try_current().ok()?.id();
        let entity_type = put.key.entity_type();
        let mut groups = self.groups.lock();
        let is_first = groups.iter().all(|group| group.runtime != runtime);
        let takes = |group: &&mut Group| {
            group.runtime == runtime && group.entity_type() == entity_type && group.space == *space
        };
        let group = match groups.iter_mut().find(takes) {
            Some(group) if group.is_full(put) => return None,
            Some(group) => group,
            None => {
                groups.push(Group::new(runtime, space));
                groups.last_mut()?
            }
        };
        let (caller, answer) = oneshot::channel();
        group.bytes += put.value_len();
        group.puts.push(put.clone());
        group.callers.push(caller);
        let gathered = is_first.then(|| Gathered { gathering: Some(Arc::clone(self)), runtime });
        Some(Joined { answer, gathered })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Group {
    fn new(runtime: Id, space: &Space) -> Self {
        Self { runtime, space: space.clone(), puts: Vec::new(), callers: Vec::new(), bytes: 0 }
    }

    fn entity_type(&self) -> &str {
        self.puts.first().map_or("", |put| put.key.entity_type())
    }

    fn is_full(&self, put: &Write) -> bool {
        self.puts.len() >= MAX_WRITES || self.bytes + put.value_len() > MAX_BYTES
    }

    pub(crate) fn writes(&self) -> Vec<&Write> {
        self.puts.iter().collect()
    }

    pub(crate) fn answer(self, stored: &Result<(), Failure>) {
        for caller in self.callers {
            // The caller may be gone.
            let _ = caller.send(stored.clone());
        }
    }
}

/// The puts that were gathered when the task that sends them takes them. If the task is dropped
/// before, because its runtime ends, their callers get no answer instead of waiting forever.
#[derive(Debug)]
pub(crate) struct Gathered {
    gathering: Option<Arc<Gathering>>,
    runtime: Id,
}

impl Gathered {
    pub(crate) fn take(mut self) -> Vec<Group> {
        self.take_groups()
    }

    /// Once: what is gathered afterwards has a task of its own.
    fn take_groups(&mut self) -> Vec<Group> {
        let Some(gathering) = self.gathering.take() else { return Vec::new() };
        let mut groups = gathering.groups.lock();
        groups.extract_if(.., |group| group.runtime == self.runtime).collect()
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.take_groups();
    }
}

#[cfg(test)]
mod tests {
    use pstate_core::Key;

    use super::*;

    fn put(entity_type: &str, id: usize) -> Write {
        Write::put(Key::new(entity_type, &id.to_string()).expect("a key"), *b"{}")
    }

    fn many(gathering: &Gathering) -> Vec<UnderWay<'_>> {
        (0..=FEW).map(|_| gathering.begin()).collect()
    }

    #[tokio::test]
    async fn only_many_puts_are_gathered_each_type_by_itself_and_no_more_than_a_call_takes() {
        let gathering = Arc::new(Gathering::default());
        let space = Space::default();
        let _few: Vec<_> = (0..FEW).map(|_| gathering.begin()).collect();
        assert!(gathering.join(&space, &put("card", 0)).is_none());
        let _more = gathering.begin();
        let joined = (0..=MAX_WRITES).filter_map(|n| gathering.join(&space, &put("card", n)));
        let mut joined: Vec<_> = joined.map(|joined| joined.gathered).collect();
        assert_eq!(joined.len(), MAX_WRITES);
        let gathered = joined[0].take().expect("the first");
        assert!(joined.iter().all(Option::is_none));
        let other = gathering.join(&space, &put("deck", 0)).expect("many");
        assert!(other.gathered.is_none());
        let counts: Vec<_> = gathered.take().iter().map(|group| group.puts.len()).collect();
        assert_eq!(counts, [MAX_WRITES, 1]);
        assert!(gathering.join(&space, &put("card", 0)).expect("many").gathered.is_some());
    }

    #[tokio::test]
    async fn without_its_task_a_put_gets_no_answer_and_the_next_one_starts_another() {
        let gathering = Arc::new(Gathering::default());
        let _many = many(&gathering);
        let lost = gathering.join(&Space::default(), &put("card", 0)).expect("many");
        drop(lost.gathered);
        assert!(lost.answer.await.is_err());
        assert!(
            gathering.join(&Space::default(), &put("card", 0)).expect("many").gathered.is_some()
        );
    }

    #[tokio::test]
    async fn no_put_waits_for_the_task_of_another_runtime() {
        let gathering = Arc::new(Gathering::default());
        let _many = many(&gathering);
        let join = || gathering.join(&Space::default(), &put("card", 0)).expect("many");
        let idle = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let theirs = {
            let _entered = idle.enter();
            join()
        };
        let ours = join();
        let taken = ours.gathered.expect("the first of this runtime").take();
        assert_eq!(taken.len(), 1);
        assert_eq!(theirs.gathered.expect("the first of its runtime").take().len(), 1);
        idle.shutdown_background();
    }
}
