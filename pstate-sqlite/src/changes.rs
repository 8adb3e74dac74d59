//! The change feed: commits of this adapter by key, commits of others by their number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use async_trait::async_trait;
use pstate_core::{
    ChangeSubscription, Changes, Error, HubSubscription, ReadMode, Result, WriterClient,
};
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use crate::error::Phase;
use crate::store::{Store, stopped};
use crate::writer::{Command, Commits, data_version};

/// The feed of one adapter.
///
/// What the adapter writes comes from a [`ChangeHub`](pstate_core::ChangeHub). For commits of
/// others it takes two connections:
///
/// 1. The *watch* never writes, so its data version changes with every commit. If it has not
///    changed, there was no commit, and the call ends.
/// 2. If it has, the writer thread reads the data version of its own connection, which changes with
///    the commits of others only.
///
/// # Nothing is missed
///
/// Let a commit be acknowledged before a call begins. If it is ours, it was published before that,
/// and the call takes what is published after the call has begun. If it is another's, the watch
/// sees it. Either the watch saw it in an earlier call that went on to ask the thread
/// ([`Watch::asked`] says so), or this call asks. Both ask after the watch has seen the commit, so
/// the writer's connection sees it too, and the thread counts it, unless it has done so already.
/// The thread counts, so it does not matter which caller waits for the answer, or whether one does.
/// The subscription compares the count with the one that it reported last. It updates that, and
/// takes what is published, in the step that ends the call.
#[derive(Debug)]
pub(crate) struct Feed {
    // Dropped in this order: the writer thread ends with the last of its clients, and its
    // connection is to be the last one.
    watch: Mutex<Watch>,
    commits: Arc<Commits>,
    writer: WriterClient<Command>,
    store: Arc<Store>,
}

#[derive(Debug, Default)]
struct Watch {
    /// Opened with the first subscription. No transaction stays open on it.
    connection: Option<Connection>,
    last: Option<i64>,
    /// How often the data version was another one.
    changed: u64,
    /// Up to which of these changes the writer thread was asked.
    asked: u64,
    closed: bool,
}

/// What the watch has found.
#[derive(Debug)]
enum Observation {
    /// Nothing new. Others have committed this often.
    Settled(u64),
    /// This change, which the writer thread has to be asked about.
    Changed(u64),
}

impl Feed {
    pub(crate) fn new(
        store: Arc<Store>,
        commits: Arc<Commits>,
        writer: WriterClient<Command>,
    ) -> Self {
        Self { watch: Mutex::default(), commits, writer, store }
    }

    /// Ends all subscriptions, and closes the connection.
    pub(crate) async fn close(self: &Arc<Self>) {
        let feed = Arc::clone(self);
        // Another thread may be opening the connection, and holds the lock meanwhile. If the
        // runtime shuts down instead, dropping the adapter closes the connection.
        let _ = spawn_blocking(move || {
            let mut watch = feed.watch();
            watch.closed = true;
            watch.connection = None;
        })
        .await;
    }

    pub(crate) async fn subscribe(self: &Arc<Self>) -> Result<Box<dyn ChangeSubscription>> {
        let feed = Arc::downgrade(self);
        let published = self.commits.hub.subscribe();
        let foreign = foreign_commits(&feed).await?;
        Ok(Box::new(Subscription { feed, published, foreign }))
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Observes on this thread if that is quick: the connection is open, and free.
    fn observe_in_place(&self) -> Option<Result<Observation>> {
        if self.store.config.read_mode == ReadMode::Blocking {
            return None;
        }
        let watch = match self.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(watch)) => watch.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (watch.closed || watch.connection.is_some()).then(|| self.observe(watch))
    }

    /// Observes, and opens the connection first if need be.
    fn observe(&self, mut watch: MutexGuard<'_, Watch>) -> Result<Observation> {
        if watch.closed {
            return Err(Error::store_closed());
        }
        let observed = watch.observe(&self.store, &self.commits);
        if observed.is_err() {
            // This subscription takes everything for changed, and all others have to as well.
            watch.connection = None;
            watch.last = None;
            self.commits.count_foreign();
        }
        observed
    }
}

impl Watch {
    fn observe(&mut self, store: &Store, commits: &Commits) -> Result<Observation> {
        store.file.check_sometimes()?;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(store.open_reader()?),
        };
        let version =
            data_version(connection).map_err(|error| store.error(error, Phase::Uncommitted))?;
        if self.last.replace(version) != Some(version) {
            self.changed += 1;
        }
        Ok(if self.changed == self.asked {
            Observation::Settled(commits.foreign())
        } else {
            Observation::Changed(self.changed)
        })
    }
}

/// How often others have committed. Nothing that it holds while it waits keeps the adapter alive.
async fn foreign_commits(feed: &Weak<Feed>) -> Result<u64> {
    let change = match observe(feed).await? {
        Observation::Settled(foreign) => return Ok(foreign),
        Observation::Changed(change) => change,
    };
    let response = upgrade(feed)?.writer.call(Command::ForeignCommits);
    let foreign = response.await?;
    if let Some(feed) = feed.upgrade() {
        let mut watch = feed.watch();
        watch.asked = watch.asked.max(change);
    }
    Ok(foreign)
}

async fn observe(feed: &Weak<Feed>) -> Result<Observation> {
    let observing = {
        let feed = upgrade(feed)?;
        if let Some(observation) = feed.observe_in_place() {
            return observation;
        }
        spawn_blocking(move || feed.observe(feed.watch()))
    };
    observing.await.map_err(stopped)?
}

fn upgrade(feed: &Weak<Feed>) -> Result<Arc<Feed>> {
    feed.upgrade().ok_or_else(Error::store_closed)
}

#[derive(Debug)]
struct Subscription {
    /// Weak, so that a subscription keeps neither connection nor thread of a dropped adapter.
    feed: Weak<Feed>,
    published: HubSubscription,
    /// How often others had committed at the last report.
    foreign: u64,
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        let foreign = foreign_commits(&self.feed).await;
        let foreign = foreign.map_err(|error| error.in_operation("changes"))?;
        // From here on without an await: what is taken is reported.
        let published = self.published.take();
        if self.foreign == foreign {
            return Ok(published);
        }
        self.foreign = foreign;
        Ok(Changes::Everything)
    }

    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}
