//! What others change in the store, as far as an adapter can tell.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::model::{Key, Outcome, Result, Revision, Space, Write};

/// How many changes a [`ChangeHub`] keeps for a subscription before it says that anything may have
/// changed.
const MOST_CHANGES: usize = 1 << 16;

/// Reports what was changed in a store, by this and other handles, and other processes.
///
/// The cache follows it, and so never serves what is older than its
/// bound. An adapter that has none is followed by the clock.
///
/// # Contract
/// - *Completeness*: What anybody had written, and had been told so, after
///   [`subscribe`](Self::subscribe) or the last successful call of
///   [`changes`](ChangeSubscription::changes) has returned and before this one began, is reported
///   by it. Cases: `extensions::change_feed`, `extensions::change_feed_beside`.
/// - *Effect first*: What is reported is visible to every read that begins afterwards. Case:
///   `extensions::change_feed`.
///
/// More may be reported than was changed, and what was written through this very adapter, too. A
/// [`ChangeHub`] does this for everything that is written within the process.
#[async_trait]
pub trait ChangeFeed: fmt::Debug + Send + Sync {
    /// Begins to follow the changes.
    ///
    /// # Errors
    /// If nothing can be followed now. The caller tries again later.
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>>;
}

/// A subscription to the changes of a store.
#[async_trait]
pub trait ChangeSubscription: fmt::Debug + Send {
    /// What may have changed since the last call that succeeded, or since the subscription began.
    /// Does not wait for changes.
    ///
    /// # Errors
    /// If that is not known. The caller then drops the subscription, assumes that everything has
    /// changed, and subscribes again.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call reports it. Case:
    /// `extensions::change_feed_cancelled`.
    ///
    /// # Cost
    /// Less than a read: it is called every few milliseconds, and for each read if
    /// nothing may be stale.
    async fn changes(&mut self) -> Result<Changes>;

    /// Waits until there are changes, where the store notifies the adapter of them; where the
    /// adapter has to ask, it waits forever.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    async fn wait(&mut self);
}

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// These records, in the order in which they were changed; none if nothing has changed.
    Records(Vec<ChangedRecord>),
    /// Anything.
    Everything,
}

/// A record that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedRecord {
    /// The space it is in.
    pub space: Space,
    /// Its key.
    pub key: Key,
    /// What is stored now. If that is what is cached, it is kept.
    pub now: ChangedTo,
}

/// What a record was changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedTo {
    /// A record of this revision.
    Revision(Revision),
    /// Nothing: it was deleted.
    Absent,
    /// Something that is not known.
    Unknown,
}

impl ChangedTo {
    /// Whether a record that had this revision, or was absent, is still what is stored.
    pub(crate) fn is_still(self, found: Option<Revision>) -> bool {
        match self {
            Self::Revision(revision) => found == Some(revision),
            Self::Absent => found.is_none(),
            Self::Unknown => false,
        }
    }
}

impl ChangedRecord {
    /// A change of the record under a key.
    pub fn new(space: Space, key: Key, now: ChangedTo) -> Self {
        Self { space, key, now }
    }
}

/// A [`ChangeFeed`] of what is written through one adapter in this process: enough for a store that
/// no other process can open, and a part of it for others.
///
/// The adapter [publishes](Self::publish) each change when it is visible, and before the write
/// returns.
#[derive(Debug, Default)]
pub struct ChangeHub {
    subscriptions: Arc<Mutex<Subscriptions>>,
}

/// Those that are not dropped, each under its number.
#[derive(Debug, Default)]
struct Subscriptions {
    open: BTreeMap<u64, Arc<Published>>,
    begun: u64,
}

/// What was published and not yet asked for; `None` if it was too much.
#[derive(Debug)]
struct Published(Mutex<Option<Vec<ChangedRecord>>>);

impl Published {
    fn extend(&self, changed: impl IntoIterator<Item = ChangedRecord>) {
        let mut published = self.0.lock();
        if let Some(records) = &mut *published {
            records.extend(changed);
            if records.len() > MOST_CHANGES {
                *published = None;
            }
        }
    }
}

impl ChangeHub {
    /// A hub without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells all subscriptions what has become of writes; of those without an outcome, that they
    /// may have happened.
    ///
    /// # Cost
    /// About 50 ns for each change and subscription; a lock if there is none.
    pub fn publish(&self, space: &Space, writes: &[Write], outcomes: &[Outcome]) {
        let subscriptions = self.subscriptions.lock();
        // Made for each of them: most stores have one, that of their handle.
        for published in subscriptions.open.values() {
            let outcomes = outcomes.iter().map(Some).chain(std::iter::repeat(None));
            published.extend(writes.iter().zip(outcomes).filter_map(|(write, outcome)| {
                let now = match outcome {
                    Some(Outcome::Conflict | Outcome::Aborted) => return None,
                    Some(Outcome::Stored(revision)) => ChangedTo::Revision(*revision),
                    Some(Outcome::Deleted) => ChangedTo::Absent,
                    Some(Outcome::Failed(_)) | None => ChangedTo::Unknown,
                };
                Some(ChangedRecord::new(space.clone(), write.key.clone(), now))
            }));
        }
    }

    /// Begins to follow what is published.
    pub fn subscribe(&self) -> HubSubscription {
        let published = Arc::new(Published(Mutex::new(Some(Vec::new()))));
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.begun += 1;
        let number = subscriptions.begun;
        subscriptions.open.insert(number, published.clone());
        HubSubscription { number, published, subscriptions: self.subscriptions.clone() }
    }
}

/// A subscription to a [`ChangeHub`].
#[derive(Debug)]
pub struct HubSubscription {
    number: u64,
    published: Arc<Published>,
    subscriptions: Arc<Mutex<Subscriptions>>,
}

impl Drop for HubSubscription {
    /// At once, and not with the next change: nothing may be published for a long time.
    fn drop(&mut self) {
        self.subscriptions.lock().open.remove(&self.number);
    }
}

impl HubSubscription {
    /// What was published since the last call.
    pub fn take(&mut self) -> Changes {
        match self.published.0.lock().replace(Vec::new()) {
            Some(records) => Changes::Records(records),
            None => Changes::Everything,
        }
    }
}

#[async_trait]
impl ChangeSubscription for HubSubscription {
    async fn changes(&mut self) -> Result<Changes> {
        Ok(self.take())
    }

    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl ChangeFeed for ChangeHub {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        Ok(Box::new(Self::subscribe(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: usize) -> Key {
        Key::new("card", &id.to_string()).unwrap()
    }

    fn delete(hub: &ChangeHub, id: usize) {
        hub.publish(&Space::default(), &[Write::delete(key(id))], &[Outcome::Deleted]);
    }

    fn deleted(ids: &[usize]) -> Changes {
        let record = |id: &usize| ChangedRecord::new(Space::default(), key(*id), ChangedTo::Absent);
        Changes::Records(ids.iter().map(record).collect())
    }

    #[test]
    fn each_subscription_is_told_what_was_published_since_it_asked() {
        let hub = ChangeHub::new();
        let mut early = hub.subscribe();
        delete(&hub, 1);
        let mut late = hub.subscribe();
        delete(&hub, 2);
        assert_eq!(early.take(), deleted(&[1, 2]));
        assert_eq!(late.take(), deleted(&[2]));
        assert_eq!(early.take(), deleted(&[]));
    }

    #[test]
    fn what_changed_nothing_is_not_told_and_what_may_have_is() {
        let hub = ChangeHub::new();
        let mut subscription = hub.subscribe();
        let writes = [1, 2, 3].map(|id| Write::put(key(id), *b"{}"));
        let revision = Revision::from_number(7);
        hub.publish(&Space::default(), &writes, &[Outcome::Stored(revision), Outcome::Conflict]);
        let changed = |id, now| ChangedRecord::new(Space::default(), key(id), now);
        let told = vec![changed(1, ChangedTo::Revision(revision)), changed(3, ChangedTo::Unknown)];
        assert_eq!(subscription.take(), Changes::Records(told));
    }

    #[test]
    fn what_is_too_much_to_be_listed_is_everything_once() {
        let hub = ChangeHub::new();
        let mut subscription = hub.subscribe();
        (0..=MOST_CHANGES).for_each(|id| delete(&hub, id));
        assert_eq!(subscription.take(), Changes::Everything);
        delete(&hub, 1);
        assert_eq!(subscription.take(), deleted(&[1]));
    }

    #[test]
    fn a_subscription_that_was_dropped_is_forgotten() {
        let hub = ChangeHub::new();
        let [first, second] = [hub.subscribe(), hub.subscribe()];
        drop(first);
        assert_eq!(hub.subscriptions.lock().open.len(), 1);
        drop(second);
        assert!(hub.subscriptions.lock().open.is_empty());
    }
}
