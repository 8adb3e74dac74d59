//! Telling what was changed: by this adapter, and by everybody else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use async_trait::async_trait;
use pstate_core::{ChangeFeed, ChangeHub, ChangeSubscription, Changes, HubSubscription, Result};
use rusqlite::{Connection, Result as SqlResult};
use tokio::task::spawn_blocking;

use crate::backend::SqliteAdapter;
use crate::config::ReadMode;
use crate::connection::Database;
use crate::error::{During, closed};
use crate::readers::stopped;
use crate::writer::{Inquiry, gone};

/// What is known about commits: ours one by one, others' by their being there.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// Ours: published by the thread that writes, when they are committed and before they are
    /// acknowledged.
    pub(crate) hub: ChangeHub,
    /// How often it was found that others have committed.
    foreign: AtomicU64,
}

impl Commits {
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Acquire)
    }

    fn count_foreign(&self) {
        self.foreign.fetch_add(1, Ordering::AcqRel);
    }
}

/// Finds commits of others, with the connection that makes all of ours: `PRAGMA data_version` on a
/// connection does not count what it has committed itself.
#[derive(Debug)]
pub(crate) struct ForeignCommits<'a> {
    commits: &'a Commits,
    connection: &'a Connection,
    last: Option<i64>,
}

impl<'a> ForeignCommits<'a> {
    pub(crate) fn new(commits: &'a Commits, connection: &'a Connection) -> Self {
        Self { commits, connection, last: None }
    }

    /// Counts what others have committed since the last time, whoever asked then.
    pub(crate) fn count(&mut self) -> SqlResult<u64> {
        let version = data_version(self.connection)?;
        if self.last.replace(version) != Some(version) {
            self.commits.count_foreign();
        }
        Ok(self.commits.foreign())
    }
}

fn data_version(connection: &Connection) -> SqlResult<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// The feed of one adapter.
///
/// What is written through the adapter comes from a [`ChangeHub`]. For the rest it takes two
/// connections:
///
/// 1. The *watch*, which writes nothing, so that its data version changes with every commit. If it
///    is what it was, nobody has committed, and that was all.
/// 2. If it has changed, the thread that writes is asked for the data version of its connection,
///    which changes with the commits of others only.
///
/// # Nothing is missed
///
/// Let a commit be acknowledged before a call begins. If it is ours, it was published before that,
/// and the call takes what is published after it has begun. If it is another's, the watch sees it.
/// Either the watch saw it in an earlier call that went on to ask (its [`Watch::asked`] says so), or
/// this call asks; whichever asks, does so after the watch has seen the commit, so the writer's
/// connection sees it too, and the thread counts it, unless it has done so already. Counting is done
/// in the thread, so it does not matter who waits for the answer, or whether anybody does. The
/// subscription compares the count with the one that it has told last, and changes that, and takes
/// what is published, in the step that ends the call.
#[derive(Debug)]
pub(crate) struct Feed {
    // Dropped in this order: the thread that writes ends with the last of those who may ask it, and
    // its connection is to be the last one.
    watch: Mutex<Watch>,
    commits: Arc<Commits>,
    inquiry: Inquiry,
    database: Arc<Database>,
}

#[derive(Debug, Default)]
struct Watch {
    /// Opened when somebody subscribes. No transaction stays open on it.
    connection: Option<Connection>,
    last: Option<i64>,
    /// How often the data version was another one.
    changed: u64,
    /// As of which of these changes the thread that writes was asked.
    asked: u64,
    closed: bool,
}

/// What a look at the watch has found.
#[derive(Debug)]
enum Look {
    /// Nothing that was not asked about already; so often have others committed.
    Settled(u64),
    /// Somebody has committed: this change is to be asked about.
    Changed(u64),
}

impl Feed {
    pub(crate) fn new(database: Arc<Database>, commits: Arc<Commits>, inquiry: Inquiry) -> Self {
        Self { watch: Mutex::default(), commits, inquiry, database }
    }

    /// Ends all subscriptions, and closes the connection.
    pub(crate) async fn close(self: &Arc<Self>) {
        let feed = Arc::clone(self);
        // Another thread may be opening the connection. If the runtime goes away instead, this
        // happens when the adapter is dropped.
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

    /// Looks on this thread if that is quickly done: the connection is there, and free.
    fn look_in_place(&self) -> Option<Result<Look>> {
        if self.database.config.read_mode == ReadMode::Blocking {
            return None;
        }
        let watch = match self.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(watch)) => watch.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (watch.closed || watch.connection.is_some()).then(|| self.look(watch))
    }

    /// Looks, and opens the connection first if need be.
    fn look(&self, mut watch: MutexGuard<'_, Watch>) -> Result<Look> {
        if watch.closed {
            return Err(closed());
        }
        let looked = watch.look(&self.database, &self.commits);
        if looked.is_err() {
            // Whoever follows takes everything for changed, and all others have to, too.
            watch.connection = None;
            watch.last = None;
            self.commits.count_foreign();
        }
        looked
    }
}

impl Watch {
    fn look(&mut self, database: &Database, commits: &Commits) -> Result<Look> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(database.open_reader()?),
        };
        let version =
            data_version(connection).map_err(|error| database.error(error, During::Unchanged))?;
        if self.last.replace(version) != Some(version) {
            self.changed += 1;
        }
        Ok(if self.changed == self.asked {
            Look::Settled(commits.foreign())
        } else {
            Look::Changed(self.changed)
        })
    }
}

/// How often others have committed. Nothing that it holds while it waits keeps the adapter alive.
async fn foreign_commits(feed: &Weak<Feed>) -> Result<u64> {
    let change = match look(feed).await? {
        Look::Settled(foreign) => return Ok(foreign),
        Look::Changed(change) => change,
    };
    let answer = feed.upgrade().ok_or_else(closed)?.inquiry.foreign_commits()?;
    let foreign = answer.await.map_err(|_| gone())??;
    if let Some(feed) = feed.upgrade() {
        let mut watch = feed.watch();
        watch.asked = watch.asked.max(change);
    }
    Ok(foreign)
}

async fn look(feed: &Weak<Feed>) -> Result<Look> {
    let looking = {
        let feed = feed.upgrade().ok_or_else(closed)?;
        if let Some(look) = feed.look_in_place() {
            return look;
        }
        spawn_blocking(move || feed.look(feed.watch()))
    };
    looking.await.map_err(stopped)?
}

/// Commits of this adapter are told by key; whatever others commit in the file, as
/// [`Changes::Everything`].
///
/// With [`ReadMode::InPlace`], `changes` looks in the task that asks: at shared memory, and after a
/// commit at one page. That takes 2 µs if nobody has committed, a little less than a read, and 30 to
/// 45 µs if somebody has: it then waits for its turn in the thread that writes, behind what is
/// being written. [`ReadMode::Blocking`] adds 25 µs. `wait` waits for ever. Whoever follows costs one
/// more connection for the adapter.
#[async_trait]
impl ChangeFeed for SqliteAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.feed.subscribe().await.map_err(|error| error.in_operation("subscribe"))
    }
}

#[derive(Debug)]
struct Subscription {
    /// Weak, so that whoever follows keeps neither connection nor thread when the adapter is dropped.
    feed: Weak<Feed>,
    published: HubSubscription,
    /// How often others had committed when it was last told.
    foreign: u64,
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        let foreign = foreign_commits(&self.feed).await;
        let foreign = foreign.map_err(|error| error.in_operation("changes"))?;
        // From here on without an await: what is taken is told.
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

#[cfg(test)]
mod tests {
    use pstate_core::{Batch, Key, Space, Write};
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::SqliteConfig;
    use crate::group::GroupCommit;
    use crate::maintenance;
    use crate::writer::Request;

    fn put(database: &Database, connection: &Connection, value: &str) {
        let (reply, mut answer) = oneshot::channel();
        let key = Key::new("card", "1").expect("a key");
        let batch = Batch::each(vec![Write::put(key, value.as_bytes())]);
        let request = Request { space: Space::default(), batch, reply };
        GroupCommit::new(database, connection, &ChangeHub::new()).run(vec![request]);
        answer.try_recv().expect("an answer").expect("a committed write");
    }

    #[test]
    fn commits_of_the_connection_itself_are_not_foreign() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let (database, connection) =
            Database::open(&path, SqliteConfig::default()).expect("a new file");
        let other = Connection::open(&path).expect("another connection");
        let commits = Commits::default();
        let mut foreign = ForeignCommits::new(&commits, &connection);
        let begin = foreign.count().expect("a count");
        for round in 0..5 {
            // More than the 1,000 pages after which SQLite moves the log by itself.
            put(&database, &connection, &round.to_string().repeat(5 << 20));
            put(&database, &connection, "small");
            assert_eq!(foreign.count(), Ok(begin + round));
            maintenance::checkpoint(&connection, &database).expect("an empty log");
            maintenance::tidy_up(&connection, &database);
            put(&database, &connection, "first of the log");
            assert_eq!(foreign.count(), Ok(begin + round));

            other.execute_batch("UPDATE pstate SET value = 'theirs'").expect("a foreign commit");
            put(&database, &connection, "on top");
            maintenance::checkpoint(&connection, &database).expect("an empty log");
            assert_eq!(foreign.count(), Ok(begin + round + 1));
            assert_eq!(foreign.count(), Ok(begin + round + 1));
        }
    }

    #[test]
    fn a_commit_of_another_that_a_checkpoint_has_met_first_is_foreign() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let (database, connection) =
            Database::open(&path, SqliteConfig::default()).expect("a new file");
        let other = Connection::open(&path).expect("another connection");
        put(&database, &connection, "ours");
        let commits = Commits::default();
        let mut foreign = ForeignCommits::new(&commits, &connection);
        let begin = foreign.count().expect("a count");
        other.execute_batch("UPDATE pstate SET value = 'theirs'").expect("a foreign commit");
        maintenance::checkpoint(&connection, &database).expect("an empty log");
        maintenance::tidy_up(&connection, &database);
        assert_eq!(foreign.count(), Ok(begin + 1));
    }
}
