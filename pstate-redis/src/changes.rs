//! Telling what was changed: by this adapter, and by everybody else.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use parking_lot::Mutex;
use pstate_core::{
    ChangeFeed, ChangeSubscription, ChangedRecord, ChangedTo, Changes, HubSubscription, Key,
    Result, Space,
};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::backend::RedisAdapter;
use crate::connection::Tracking;
use crate::error::{Effect, Failure, closed};
use crate::multi_get::Ask;
use crate::store::Store;

/// How many keys are listed before anything may have changed.
const MOST_KEYS: usize = 1 << 16;
/// How many of our own records are read again at a time, to say what they are now.
const MOST_READ: usize = 1_000;

/// Each write, by whoever, is told by key, as Redis tells it: client-side caching in broadcasting mode, over
/// a connection of its own to each primary. Of what this adapter has written itself it is told what is
/// stored now, so that it stays cached.
///
/// # Nothing is missed
///
/// A server that has changed a key puts the message about it into the output of who follows, in the same turn
/// of its loop in which it has executed the command, and before it sends any answers of that turn
/// (`beforeSleep` in its source: first `trackingBroadcastInvalidationMessages`, then
/// `handleClientsWithPendingWrites`). So when a write is acknowledged, its message stands in the
/// output. `changes` then sends a command on the same connection and waits for its answer, which comes behind
/// the message. Only one such command is under way at a time, so it is never executed in the
/// turn in which the write was. This holds for transactions, scripts, expiry, eviction and `FLUSHALL` as well.
/// Whatever goes wrong ends the subscription.
///
/// The answer also says whether the server is still the one that is written to. In a Cluster every primary is
/// followed, also one that has no slot yet, because it is written to while it takes one over; and each is asked
/// whether it still takes the same servers for primaries, and whether it is in touch with most of them. If not,
/// the subscription ends.
///
/// Redis 8 can be told to leave sending to threads (`io-threads`); then an acknowledgement may go out a turn
/// before the message, and be told by the next call but one.
///
/// `changes` takes one round trip, and another if this adapter has written. `wait` ends when a message has
/// arrived.
#[async_trait]
impl ChangeFeed for RedisAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        let subscription = subscribe(&self.store).await;
        Ok(Box::new(subscription.map_err(|error| error.in_operation("subscribe"))?))
    }
}

async fn subscribe(store: &Arc<Store>) -> Result<Subscription> {
    store.check_open()?;
    // If there was a subscription before, it has ended: a server may have lost something.
    store.registry.clear();
    let published = store.hub.subscribe();
    let inbox = Arc::new(Inbox::default());
    let failed = |failure: Failure| failure.into_error(Effect::Read);
    let primaries = store.servers.primaries().await.map_err(failed)?;
    let beginning = store.layout.beginning();
    let follow = primaries.iter().map(async |(host, port)| {
        let inbox = Arc::clone(&inbox);
        let tell = move |push: PushInfo| {
            inbox.take_in(push);
            Ok::<_, redis::aio::SendError>(())
        };
        let tracking = Tracking::new(&store.config, host, *port, &beginning, tell).await?;
        Ok(Link { host: host.clone(), tracking, under_way: None })
    });
    let links = try_join_all(follow).await.map_err(failed)?;
    let mut subscription = Subscription {
        store: Arc::downgrade(store),
        published,
        links,
        followed: primaries,
        inbox,
        told: Told::default(),
    };
    // From here on all primaries tell.
    subscription.catch_up().await?;
    Ok(subscription)
}

/// What has arrived and was not looked at yet.
#[derive(Debug, Default)]
struct Inbox {
    messages: Mutex<Messages>,
    arrived: Notify,
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct Messages {
    names: Vec<Vec<u8>>,
    everything: bool,
}

impl Inbox {
    fn take_in(&self, push: PushInfo) {
        match push.kind {
            PushKind::Invalidate => self.messages.lock().add(push.data),
            PushKind::Disconnection => self.lost.store(true, Ordering::Release),
            _ => return,
        }
        self.arrived.notify_one();
    }

    fn is_empty(&self) -> bool {
        let messages = self.messages.lock();
        messages.names.is_empty() && !messages.everything && !self.lost.load(Ordering::Acquire)
    }
}

impl Messages {
    fn add(&mut self, data: Vec<Value>) {
        for value in data {
            match value {
                Value::Array(names) => {
                    let names = names.into_iter().filter_map(|name| match name {
                        Value::BulkString(name) => Some(name),
                        _ => None,
                    });
                    self.names.extend(names);
                }
                // Everything is gone.
                _ => self.everything = true,
            }
        }
        if self.everything || self.names.len() > MOST_KEYS {
            *self = Self { names: Vec::new(), everything: true };
        }
    }
}

/// A connection over which a primary tells.
struct Link {
    host: String,
    tracking: Tracking,
    /// A question whose asker did not wait for the answer.
    under_way: Option<BoxFuture<'static, Result<Vec<Value>, Failure>>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Link {
    /// Asks, and waits for the answer, behind which nothing comes that was told before.
    async fn ask(&mut self, question: &Arc<Pipeline>) -> Result<Vec<Value>, Failure> {
        if let Some(under_way) = &mut self.under_way {
            let answer = under_way.await;
            self.under_way = None;
            answer?;
        }
        let under_way = ask(self.tracking.connection.clone(), Arc::clone(question));
        let address = self.tracking.address.clone();
        let under_way = self.under_way.insert(
            under_way
                .map(move |answer| answer.map_err(|error| Failure::answering(&address, &error)))
                .boxed(),
        );
        let answer = under_way.await;
        self.under_way = None;
        answer
    }
}

async fn ask(
    mut connection: MultiplexedConnection,
    question: Arc<Pipeline>,
) -> redis::RedisResult<Vec<Value>> {
    connection.send_packed_commands(&question, 0, question.len()).await
}

/// What is to be told by the next call that ends.
#[derive(Debug, Default)]
struct Told {
    everything: bool,
    /// In the order in which they were changed first.
    records: Vec<(Space, Key)>,
    known: HashSet<(Space, Key)>,
    /// What this adapter has written of them.
    own: HashSet<(Space, Key)>,
}

impl Told {
    /// What our own records are now, as far as they have changed.
    async fn own_now(&self, store: &Store) -> Result<Vec<ChangedRecord>> {
        let own = self.records.iter().filter(|record| self.own.contains(*record));
        let mut spaces: Vec<(&Space, Vec<Key>)> = Vec::new();
        for (space, key) in own.take(MOST_READ) {
            match spaces.iter_mut().find(|(other, _)| *other == space) {
                Some((_, keys)) => keys.push(key.clone()),
                None => spaces.push((space, vec![key.clone()])),
            }
        }
        let read = spaces.into_iter().map(async |(space, keys)| {
            let found = store.find(space, &keys, Ask::Primaries).await?;
            let changed = keys.into_iter().zip(found).map(|(key, found)| {
                let now = match found {
                    Ok(Some(record)) => ChangedTo::Revision(record.revision),
                    Ok(None) => ChangedTo::Absent,
                    Err(_) => ChangedTo::Unknown,
                };
                ChangedRecord::new(space.clone(), key, now)
            });
            Ok::<Vec<_>, pstate_core::Error>(changed.collect())
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }
}

#[derive(Debug)]
struct Subscription {
    /// Weak, so that whoever follows does not keep the connections of a dropped adapter.
    store: Weak<Store>,
    published: HubSubscription,
    links: Vec<Link>,
    followed: Vec<(String, u16)>,
    inbox: Arc<Inbox>,
    told: Told,
}

impl Subscription {
    fn store(&self) -> Result<Arc<Store>> {
        let store = self.store.upgrade().ok_or_else(closed)?;
        store.check_open()?;
        Ok(store)
    }

    /// Waits until everything has arrived that was told before.
    async fn catch_up(&mut self) -> Result<()> {
        let store = self.store()?;
        let mut question = Pipeline::new();
        for command in store.servers.barrier() {
            question.add_command(command);
        }
        let question = Arc::new(question);
        let followed = &self.followed;
        let asked = self.links.iter_mut().map(async |link| {
            let answers = link.ask(&question).await?;
            store.servers.check_barrier(&link.tracking.address, &link.host, answers, followed)
        });
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        try_join_all(asked).await.map_err(failed)?;
        if self.inbox.lost.load(Ordering::Acquire) {
            return Err(failed(Failure::unavailable("a server is followed no more".to_owned())));
        }
        Ok(())
    }

    /// Takes in what has arrived, to be told. Without an await: nothing is lost.
    fn collect(&mut self, store: &Store) {
        let messages = std::mem::take(&mut *self.inbox.messages.lock());
        self.told.everything |= messages.everything;
        for name in messages.names {
            if let Some(record) = store.layout.parse_record(&name)
                && self.told.known.insert(record.clone())
            {
                // Before asking for what is published: a write that ends in between is published.
                if store.under_way.contains(&record) {
                    self.told.own.insert(record.clone());
                }
                self.told.records.push(record);
            }
        }
        if let Changes::Records(records) = self.published.take() {
            self.told.own.extend(records.into_iter().map(|record| (record.space, record.key)));
        }
        if self.told.everything || self.told.records.len() > MOST_KEYS {
            self.told = Told { everything: true, ..Told::default() };
        }
    }

    async fn ask(&mut self) -> Result<Changes> {
        self.catch_up().await?;
        let store = self.store()?;
        self.collect(&store);
        if self.told.everything {
            self.told = Told::default();
            return Ok(Changes::Everything);
        }
        if self.told.records.is_empty() {
            return Ok(Changes::Records(Vec::new()));
        }
        let mut changed = self.told.own_now(&store).await?;
        // From here on without an await: what is taken is told.
        let told = std::mem::take(&mut self.told);
        let known: HashSet<(&Space, &Key)> =
            changed.iter().map(|record| (&record.space, &record.key)).collect();
        let unknown = told.records.iter().filter(|(space, key)| !known.contains(&(space, key)));
        let unknown = unknown.cloned();
        let unknown: Vec<ChangedRecord> = unknown
            .map(|(space, key)| ChangedRecord::new(space, key, ChangedTo::Unknown))
            .collect();
        changed.extend(unknown);
        Ok(Changes::Records(changed))
    }
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        self.ask().await.map_err(|error| error.in_operation("changes"))
    }

    async fn wait(&mut self) {
        while self.inbox.is_empty() {
            self.inbox.arrived.notified().await;
        }
    }
}
