//! The settings of a store.

use std::fmt;
use std::time::Duration;

use pstate_core::{Durability, Error, ErrorKind, Result};

use super::placement::Placement;

const MIB: usize = 1024 * 1024;

/// Where Redis listens by default.
pub(super) const PORT: u16 = 6379;

/// Redis refuses a longer argument by default (`proto-max-bulk-len`).
const LONGEST_VALUE: usize = 512 * MIB;

/// How a store is opened. Every setting has a default. Most can stand in the address, too.
///
/// ```
/// use std::time::Duration;
///
/// use pstate_redis::{Placement, RedisConfig};
///
/// let config = RedisConfig::from_url("redis://user:secret@redis.internal:6379/2?prefix=shop")?
///     .response_timeout(Duration::from_secs(2))
///     .placement(Placement::PerSpace);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), pstate_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with each other"
)]
pub struct RedisConfig {
    pub(crate) nodes: Vec<(String, u16)>,
    pub(crate) cluster: bool,
    pub(crate) tls: bool,
    pub(crate) root_certificates: Option<Vec<u8>>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    pub(crate) prefix: String,
    pub(crate) placement: Placement,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) max_value_len: usize,
    pub(crate) durability: Option<Durability>,
    pub(crate) read_from_replicas: bool,
    pub(crate) own_writes: Duration,
    pub(crate) change_feed: bool,
    pub(crate) index_grace: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            nodes: vec![("127.0.0.1".to_owned(), PORT)],
            cluster: false,
            tls: false,
            root_certificates: None,
            username: None,
            password: None,
            database: 0,
            prefix: "pstate".to_owned(),
            placement: Placement::PerSpace,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            max_value_len: 64 * MIB,
            durability: None,
            read_from_replicas: false,
            own_writes: Duration::from_secs(60),
            change_feed: true,
            index_grace: Duration::from_secs(10 * 60),
        }
    }
}

impl RedisConfig {
    /// The server, or one of a Cluster's servers. Default: `127.0.0.1`, port 6379.
    pub fn host(mut self, host: impl Into<String>, port: u16) -> Self {
        self.nodes = vec![(host.into(), port)];
        self
    }

    /// A Cluster, which needs the feature `cluster`, and some of its servers. These name the
    /// others.
    pub fn cluster<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = (H, u16)>) -> Self {
        self.nodes = hosts.into_iter().map(|(host, port)| (host.into(), port)).collect();
        self.cluster = true;
        self
    }

    /// The user name, if it is not `default`.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Which database of the server. Default: 0, the only one that a Cluster has.
    pub fn database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// Encrypts connections, which needs the feature `tls`. Default: false.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// The root certificates, in PEM, that may certify the server, instead of the operating
    /// system's. Turns [`tls`](Self::tls) on.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self.tls = true;
        self
    }

    /// The prefix of all keys, so that several stores can share a server. Default: `pstate`. It has
    /// 1 to 64 bytes of `[A-Za-z0-9_.-]`; opening fails otherwise. Each prefix is a store of its
    /// own.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Where records lie in a Cluster, and what is atomic. Default: [`Placement::PerSpace`].
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// How long to wait for a connection. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long to wait for an answer, and in a Cluster for the server that a key has moved to or
    /// that takes over from another. After that, a call fails as [`Timeout`](ErrorKind::Timeout),
    /// or with what the server has refused it for. Default: 5 s.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The longest value that is stored, in bytes. Default: 64 MiB; at most 512 MiB.
    pub fn max_value_len(mut self, bytes: usize) -> Self {
        self.max_value_len = bytes.min(LONGEST_VALUE);
        self
    }

    /// What the server's persistence settings promise, for servers that do not say, as many hosted
    /// ones do not. If the server says less, connecting fails.
    ///
    /// By default the adapter asks the server: [`Durability::Power`] with `appendonly yes` and
    /// `appendfsync always`, [`Process`](Durability::Process) with any other `appendfsync`, and
    /// [`None`](Durability::None) otherwise, or if it does not say. A Cluster is never more than
    /// [`Process`](Durability::Process): see the crate's documentation on failover.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Whether to read from a Cluster's replicas, too. Default: false.
    ///
    /// A replica lags behind. The adapter reads from primaries what it has written within
    /// [`own_writes`](Self::own_writes), so it sees its own writes. It may miss those of others for
    /// as long as the replica lags. It has no change feed then: caches follow the clock.
    pub fn read_from_replicas(mut self, read_from_replicas: bool) -> Self {
        self.read_from_replicas = read_from_replicas;
        self
    }

    /// How long the adapter reads from primaries what it has written, if it
    /// [reads from replicas](Self::read_from_replicas). It has to be longer than any replica lags.
    /// Default: one minute.
    pub fn own_writes(mut self, time: Duration) -> Self {
        self.own_writes = time;
        self
    }

    /// Whether the adapter reports to caches what others change. Default: true. Without it, caches
    /// follow the clock: for servers that cannot notify, as some proxies and hosted ones, or users
    /// without the permission `+client|tracking`.
    pub fn change_feed(mut self, change_feed: bool) -> Self {
        self.change_feed = change_feed;
        self
    }

    /// How long the index keeps an entry without a record, where records are placed
    /// [by key](Placement::PerKey). Default: 10 minutes. A quarter of it has to be longer than the
    /// servers' clocks ever differ.
    pub fn index_grace(mut self, grace: Duration) -> Self {
        self.index_grace = grace;
        self
    }

    /// Whether there is a change feed. Replicas may report what a primary has long reported.
    pub(crate) fn follows_changes(&self) -> bool {
        self.change_feed && !self.read_from_replicas
    }

    /// The grace of the index, as scripts take it.
    pub(crate) fn index_grace_in_millis(&self) -> u64 {
        u64::try_from(self.index_grace.as_millis()).unwrap_or(u64::MAX)
    }

    /// Checks what can be checked without a server.
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.bytes().all(fits) {
            return refuse(format!(
                "prefix {:?}: it has to have 1 to 64 bytes of [A-Za-z0-9_.-]",
                self.prefix
            ));
        }
        if self.nodes.is_empty() {
            return refuse("no server is given".to_owned());
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return refuse("a timeout of zero: it has to be longer".to_owned());
        }
        if self.index_grace < Duration::from_millis(4) {
            return refuse("index grace: it has to be at least 4 ms".to_owned());
        }
        if self.tls && !cfg!(feature = "tls") {
            return refuse(
                "encrypted connections need the feature `tls` of pstate-redis".to_owned(),
            );
        }
        if self.cluster && !cfg!(feature = "cluster") {
            return refuse("a Cluster needs the feature `cluster` of pstate-redis".to_owned());
        }
        if self.cluster && self.database != 0 {
            return refuse(format!("database {}: a Cluster has only database 0", self.database));
        }
        if self.read_from_replicas && !self.cluster {
            return refuse("replicas are read in a Cluster only".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Destructured, so that a new field does not compile until it is shown or redacted here.
        let Self {
            nodes,
            cluster,
            tls,
            root_certificates,
            username,
            password,
            database,
            prefix,
            placement,
            connect_timeout,
            response_timeout,
            max_value_len,
            durability,
            read_from_replicas,
            own_writes,
            change_feed,
            index_grace,
        } = self;
        let redacted = |there: bool| if there { "set" } else { "not set" };
        f.debug_struct("RedisConfig")
            .field("nodes", nodes)
            .field("cluster", cluster)
            .field("tls", tls)
            .field("root_certificates", &redacted(root_certificates.is_some()))
            .field("username", username)
            .field("password", &redacted(password.is_some()))
            .field("database", database)
            .field("prefix", prefix)
            .field("placement", placement)
            .field("connect_timeout", connect_timeout)
            .field("response_timeout", response_timeout)
            .field("max_value_len", max_value_len)
            .field("durability", durability)
            .field("read_from_replicas", read_from_replicas)
            .field("own_writes", own_writes)
            .field("change_feed", change_feed)
            .field("index_grace", index_grace)
            .finish()
    }
}
