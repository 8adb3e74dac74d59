//! How a store is opened.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use pstate_core::{Durability, Error, ErrorKind, ReadMode, Result};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// SQLite refuses a row of a thousand million bytes or more. The rest holds the space, the key and
/// the row's header.
const LONGEST_VALUE: usize = 1_000_000_000 - 4096;

/// More would only cost file descriptors.
const MOST_READERS: usize = 1024;

/// SQLite counts milliseconds, and KiB of cache, in an `int`.
const MOST: u64 = i32::MAX as u64;

/// PRAGMAs that have a setting of their own, or whose change would break the adapter's guarantees.
const RESERVED_PRAGMAS: [&str; 9] = [
    "application_id",
    "busy_timeout",
    "cache_size",
    "encoding",
    "journal_mode",
    "locking_mode",
    "mmap_size",
    "synchronous",
    "user_version",
];

/// When an acknowledged write has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Before it is acknowledged: a power cut loses nothing. About 0.1 ms for each group of
    /// writes on an SSD.
    #[default]
    Full,
    /// At the next checkpoint: a power cut may lose the last writes, a killed process none. The
    /// file stays consistent in both cases.
    Normal,
    /// When the operating system decides: a killed process loses nothing, but a power cut can make
    /// the file unreadable. For data that can be derived again.
    Off,
}

impl Synchronous {
    pub(crate) const fn as_pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
            Self::Off => "OFF",
        }
    }

    pub(crate) const fn durability(self) -> Durability {
        match self {
            Self::Full => Durability::Power,
            Self::Normal | Self::Off => Durability::Process,
        }
    }
}

/// How rows lie in the file. Creating the table decides it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableLayout {
    /// Rows in a tree by number, keys in an index beside it. Good for documents of any length;
    /// the file has every key twice.
    #[default]
    Rowid,
    /// Rows in the tree of their keys. 1.2 to 1.4 times faster to read while documents are shorter
    /// than about 900 bytes; 2 to 4 times slower, and a file of 3 times the length, above that.
    WithoutRowid,
}

/// How a store is opened. Every default suits a server with one writing process; each setting says
/// what it trades.
///
/// ```
/// use std::time::Duration;
///
/// use pstate_sqlite::{SqliteConfig, Synchronous};
///
/// let config = SqliteConfig::default()
///     .synchronous(Synchronous::Normal)
///     .busy_timeout(Duration::from_secs(1))
///     .pragma("journal_size_limit", "67108864");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteConfig {
    pub(crate) synchronous: Synchronous,
    pub(crate) cache_size: u64,
    pub(crate) mmap_size: u64,
    pub(crate) busy_timeout: Duration,
    pub(crate) table: String,
    pub(crate) layout: TableLayout,
    pub(crate) readers: usize,
    pub(crate) read_mode: ReadMode,
    pub(crate) checkpoint_interval: Option<Duration>,
    pub(crate) log_limit: u64,
    pub(crate) max_value_len: usize,
    pub(crate) create: bool,
    pub(crate) shared_database: bool,
    pub(crate) pragmas: Vec<(String, String)>,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            synchronous: Synchronous::Full,
            cache_size: 16 * MIB,
            mmap_size: 0,
            busy_timeout: Duration::from_secs(5),
            table: "pstate".to_owned(),
            layout: TableLayout::Rowid,
            readers: (2 * threads).clamp(4, MOST_READERS),
            read_mode: ReadMode::InPlace,
            checkpoint_interval: Some(Duration::from_secs(5 * 60)),
            log_limit: 64 * MIB,
            max_value_len: LONGEST_VALUE,
            create: true,
            shared_database: false,
            pragmas: Vec::new(),
        }
    }
}

impl SqliteConfig {
    /// For stores that are read far more than written and fit in memory: the file is mapped (up to
    /// 256 MiB), which saves copying pages into each connection.
    ///
    /// A read error of a mapped file ends the process by a signal instead of being returned.
    pub fn read_mostly() -> Self {
        Self::default().mmap_size(256 * MIB).cache_size(10 * MIB)
    }

    /// For many small writes: [`Synchronous::Normal`], so that a write waits for no disk. A power
    /// cut may lose the last ones.
    pub fn fast_writes() -> Self {
        Self::default().synchronous(Synchronous::Normal)
    }

    /// For little memory: four readers with 1 MiB of cache each, and a log that is emptied every
    /// minute.
    pub fn memory_constrained() -> Self {
        Self::default()
            .cache_size(MIB)
            .readers(4)
            .checkpoint_interval(Some(Duration::from_secs(60)))
    }

    /// When an acknowledged write has reached the disk. Default: [`Synchronous::Full`].
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// The page cache of each connection, in bytes. Default: 16 MiB.
    ///
    /// It is an upper bound, reached only by connections that have read that much; there are
    /// [`readers`](Self::readers) + 3 connections at most. 16 MiB hold the keys of some hundred
    /// thousand documents; what doesn't fit costs a copy from the operating system's cache, about
    /// a microsecond a page.
    pub fn cache_size(mut self, bytes: u64) -> Self {
        self.cache_size = bytes.min(MOST * KIB);
        self
    }

    /// How much of the file is mapped into memory, in bytes. Default: 0, nothing.
    ///
    /// Faster where the file is in the operating system's cache, with stalls of milliseconds
    /// where it isn't. A read error of a mapped file ends the process by a signal.
    pub fn mmap_size(mut self, bytes: u64) -> Self {
        self.mmap_size = bytes.min(i64::MAX as u64);
        self
    }

    /// How long to wait for a lock of another process before the call fails as
    /// [`Unavailable`](ErrorKind::Unavailable). Default: 5 s. Milliseconds are its resolution.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(MOST));
        self
    }

    /// The name of the table. Default: `pstate`. It matches `[A-Za-z_][A-Za-z0-9_]*` and doesn't
    /// begin with `sqlite_`; opening fails otherwise. Each table is a store of its own.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// How rows lie in the file, if the table has to be created. Default: [`TableLayout::Rowid`].
    pub fn layout(mut self, layout: TableLayout) -> Self {
        self.layout = layout;
        self
    }

    /// How many connections may read at the same time, from 1 to 1,024. They are opened when
    /// needed; further reads wait for one. Default: twice the number of processors, at least 4.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// Where `multi_get` runs. Default: [`ReadMode::InPlace`].
    ///
    /// In place, a key in SQLite's cache takes about 3 µs, and each further one 1 to 2 µs. A read
    /// of more than 320 keys or 256 KiB runs on a thread for blocking work, and so does one that
    /// finds no connection open and free. [`ReadMode::Blocking`] does that to each call, and adds
    /// about 30 µs to it.
    pub fn read_mode(mut self, mode: ReadMode) -> Self {
        self.read_mode = mode;
        self
    }

    /// How often the log of writes is moved into the main file and emptied. Default: every 5
    /// minutes. `None`: only when it has grown by 1,000 pages (SQLite does this by itself), beyond
    /// [`log_limit`](Self::log_limit) and on closing. What readers have prevented is tried again
    /// after a second, then after two, and so on, up to a minute.
    pub fn checkpoint_interval(mut self, interval: Option<Duration>) -> Self {
        self.checkpoint_interval = interval;
        self
    }

    /// How many bytes the log of writes may have. Default: 64 MiB.
    ///
    /// Reads that overlap keep SQLite from beginning the log again at its start. Beyond this limit
    /// the next write waits until the reads have ended that began before it: later ones read the
    /// main file and are not in the way. After [`busy_timeout`](Self::busy_timeout), or a second if
    /// that is shorter, it gives up, logs a warning, and tries again as after a checkpoint that
    /// fails. So a backup, a long scan, or a reader in another process may still let the log grow,
    /// and so does a single batch that is larger than the limit.
    pub fn log_limit(mut self, bytes: u64) -> Self {
        self.log_limit = bytes;
        self
    }

    /// The longest value that is stored, in bytes. Default, and at most: 999,995,904.
    pub fn max_value_len(mut self, bytes: usize) -> Self {
        self.max_value_len = bytes.min(LONGEST_VALUE);
        self
    }

    /// Whether to create the file if there is none. Default: true; otherwise opening fails as
    /// [`Config`](ErrorKind::Config), which finds a misspelled path.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Allows the table to live in a database that belongs to another program. Default: false,
    /// such a file is refused.
    ///
    /// The file's `application_id` and `user_version` are then left alone, so this store's format
    /// version is not recorded in it, and [`restore`](crate::SqliteAdapter::restore) doesn't
    /// accept its backups.
    pub fn shared_database(mut self, shared: bool) -> Self {
        self.shared_database = shared;
        self
    }

    /// Runs `PRAGMA name = value` on each connection when it is opened; those that are about the
    /// file on the connection that writes. On a new file that is before anything is stored, so
    /// `page_size` and `auto_vacuum` take effect.
    ///
    /// Opening fails if SQLite doesn't know the PRAGMA, if it fails, if it is one that has
    /// a setting of its own here or that the adapter relies on (`journal_mode`, `locking_mode`,
    /// `synchronous`, `application_id`, ...), and if SQLite ignores the value: the PRAGMA is read
    /// back, and has to be what was set. So `page_size` has to be that of a file that exists.
    pub fn pragma(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pragmas.push((name.into(), value.into()));
        self
    }

    /// Checks what can be checked without a file.
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
        if !is_identifier(&self.table) {
            return refuse(format!(
                "table name {:?}: it has to match [A-Za-z_][A-Za-z0-9_]*",
                self.table
            ));
        }
        if self.table.to_ascii_lowercase().starts_with("sqlite_") {
            return refuse(format!("table name {:?}: SQLite keeps sqlite_ for itself", self.table));
        }
        if self.readers == 0 || self.readers > MOST_READERS {
            return refuse(format!(
                "{} readers: from 1 to {MOST_READERS} are allowed",
                self.readers
            ));
        }
        if self.checkpoint_interval == Some(Duration::ZERO) {
            return refuse(
                "checkpoint interval: zero is no interval; `None` turns it off".to_owned(),
            );
        }
        for (name, _) in &self.pragmas {
            if !is_identifier(name) {
                return refuse(format!("PRAGMA {name:?}: a name matches [A-Za-z_][A-Za-z0-9_]*"));
            }
            let lower = name.to_ascii_lowercase();
            if RESERVED_PRAGMAS.contains(&lower.as_str()) {
                return refuse(format!(
                    "PRAGMA {name}: set by the adapter itself; use the setting of that name, if \
                     SqliteConfig has one"
                ));
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(config: &SqliteConfig) -> String {
        let error = config.validate().expect_err("the configuration should be refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn the_presets_are_valid() {
        for config in [
            SqliteConfig::default(),
            SqliteConfig::read_mostly(),
            SqliteConfig::fast_writes(),
            SqliteConfig::memory_constrained(),
        ] {
            assert!(config.validate().is_ok(), "{config:?}");
        }
    }

    #[test]
    fn table_names_that_need_quoting_are_refused() {
        for name in ["", "1a", "a-b", "a b", "a\"b", "tablé"] {
            assert!(refusal(&SqliteConfig::default().table(name)).contains("has to match"));
        }
    }

    #[test]
    fn table_names_of_sqlite_are_refused() {
        assert!(refusal(&SqliteConfig::default().table("SQLITE_x")).contains("for itself"));
    }

    #[test]
    fn pragmas_with_a_setting_are_refused() {
        let config = SqliteConfig::default().pragma("Synchronous", "off");
        assert!(refusal(&config).starts_with("PRAGMA Synchronous: set by the adapter"));
    }

    #[test]
    fn pragma_names_that_are_no_names_are_refused() {
        let config = SqliteConfig::default().pragma("x; drop table pstate", "1");
        assert!(refusal(&config).contains("a name matches"));
    }

    #[test]
    fn no_readers_and_too_many_are_refused() {
        for readers in [0, MOST_READERS + 1] {
            let refusal = refusal(&SqliteConfig::default().readers(readers));
            assert!(refusal.contains("from 1 to 1024"), "{refusal}");
        }
    }

    #[test]
    fn a_checkpoint_interval_of_zero_is_refused() {
        let config = SqliteConfig::default().checkpoint_interval(Some(Duration::ZERO));
        assert!(refusal(&config).contains("zero is no interval"));
    }
}
