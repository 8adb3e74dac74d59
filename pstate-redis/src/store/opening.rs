//! Opening a store: what the servers are, and whether they suit the configuration.

use pstate_core::{Durability, Error, ErrorKind, Result};
use redis::{ProtocolVersion, Value};

use super::store::Store;
use crate::config::RedisConfig;
use crate::error::{Effect, Failure, USE_CLUSTER};
use crate::server::{Servers, Unit, bytes, client, items, only};

/// The oldest version of Redis that the adapter supports.
const OLDEST: (u32, u32) = (6, 2);

pub(crate) async fn open(config: RedisConfig) -> Result<Store> {
    config.validate()?;
    let servers = Servers::new(&config).map_err(|failure| failure.into_error(Effect::Read))?;
    let mut store = Store::new(config, servers);
    if let Err(error) = store.check_version().await {
        return Err(store.why_not_understood(error).await);
    }
    let noted = store.ensure_note(None).await;
    noted.map_err(|failure| failure.into_error(Effect::Read))?;
    store.check_change_feed().await?;
    store.capabilities.durability = store.check_durability().await?;
    store.check_eviction().await;
    Ok(store)
}

impl Store {
    /// Sends a command about no key in particular.
    async fn ask(&self, name: &str, arguments: &[&str]) -> Result<Value, Failure> {
        let mut command = redis::cmd(name);
        command.arg(arguments);
        let unit = Unit::new(&self.layout.format(), vec![command]);
        let answers = self.servers.send_one(unit, Effect::Read).await?;
        only(answers).map_err(|_| Failure::cut_short("the server"))
    }

    async fn check_version(&self) -> Result<()> {
        match self.ask("INFO", &["server"]).await {
            Ok(info) => {
                let info = text(info);
                check_version(&info)?;
                self.check_mode(&info)
            }
            // The user may lack the permission to ask.
            Err(failure) if failure.is("NOPERM") => Ok(()),
            Err(failure) => Err(failure.into_error(Effect::Read)),
        }
    }

    /// A server of a Cluster has a part of the keys. It redirects for all others.
    fn check_mode(&self, info: &str) -> Result<()> {
        let is_cluster = info.lines().any(|line| line.trim() == "redis_mode:cluster");
        if !is_cluster || self.servers.is_cluster() {
            return Ok(());
        }
        let place = self.config.nodes.first().map(|(host, port)| format!("{host}:{port}: "));
        let place = place.unwrap_or_default();
        let why = format!("{place}the server is one of a Cluster{USE_CLUSTER}");
        Err(Error::new(ErrorKind::Config, why))
    }

    /// Refuses a server or a user without `CLIENT TRACKING`: no cache would ever be served.
    async fn check_change_feed(&self) -> Result<()> {
        if !self.config.follows_changes() {
            return Ok(());
        }
        let Err(failure) = self.ask("CLIENT", &["TRACKING", "OFF"]).await else { return Ok(()) };
        let is_refused = failure.is("NOPERM") || failure.is("ERR");
        let error = failure.into_error(Effect::Read);
        if !is_refused {
            return Err(error);
        }
        let why = format!(
            "{}; caches need CLIENT TRACKING: give the user +client|tracking, or let caches follow \
             the clock with RedisConfig::change_feed(false)",
            error.message()
        );
        Err(Error::new(ErrorKind::Config, why))
    }

    /// A server before 6.0 does not know `HELLO`. It says so in many ways, and its version in one.
    async fn why_not_understood(&self, error: Error) -> Error {
        if error.is_retryable() {
            return error;
        }
        let Some((host, port)) = self.config.nodes.first() else { return error };
        let Ok(client) = client(&self.config, host, *port, ProtocolVersion::RESP2) else {
            return error;
        };
        let limit = self.config.connect_timeout;
        let ask = async {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            let mut command = redis::cmd("INFO");
            command.arg("server");
            let info = command.query_async::<Value>(&mut connection).await.ok()?;
            check_version(&text(info)).err()
        };
        tokio::time::timeout(limit, ask).await.ok().flatten().unwrap_or(error)
    }

    /// What survives, as the servers say or the configuration declares.
    async fn check_durability(&self) -> Result<Durability> {
        let found = match self.persistence().await {
            Ok(found) => Some(found),
            Err(failure) if failure.may_be_sent_again() || failure.sent => {
                return Err(failure.into_error(Effect::Read));
            }
            // It does not say.
            Err(_) => None,
        };
        let most = if self.servers.is_cluster() { Durability::Process } else { Durability::Power };
        let rank = |durability| match durability {
            Durability::None => 0,
            Durability::Process => 1,
            Durability::Power => 2,
        };
        let bounded = |durability| if rank(durability) > rank(most) { most } else { durability };
        match (self.config.durability, found) {
            (Some(declared), Some(found)) if rank(declared) > rank(bounded(found)) => {
                let why = format!(
                    "Durability::{declared:?} is declared, and the server is set up for \
                     Durability::{:?}: see `appendonly` and `appendfsync` in its configuration",
                    bounded(found)
                );
                Err(Error::new(ErrorKind::Config, why))
            }
            (Some(declared), _) => Ok(bounded(declared)),
            (None, found) => Ok(bounded(found.unwrap_or(Durability::None))),
        }
    }

    /// The least that a server promises.
    async fn persistence(&self) -> Result<Durability, Failure> {
        let mut least = Durability::Power;
        for place in self.servers.primaries().await? {
            least = match self.setting(&place, "appendonly").await?.as_deref() {
                Some("yes") => match self.setting(&place, "appendfsync").await?.as_deref() {
                    Some("always") => least,
                    _ => Durability::Process,
                },
                _ => return Ok(Durability::None),
            };
        }
        Ok(least)
    }

    /// Warns of a server that evicts keys when its memory is full: it may evict parts of the index.
    async fn check_eviction(&self) {
        for place in self.servers.primaries().await.unwrap_or_default() {
            if let Ok(Some(policy)) = self.setting(&place, "maxmemory-policy").await
                && policy.starts_with("allkeys")
            {
                let (host, port) = place;
                tracing::warn!(
                    host,
                    port,
                    policy,
                    "the server may drop any key when its memory is full: records disappear, and scans \
                     rebuild lists of them; set maxmemory-policy to noeviction"
                );
            }
        }
    }

    async fn setting(&self, place: &(String, u16), name: &str) -> Result<Option<String>, Failure> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        let answers = self.servers.send_at(place, vec![command]).await?;
        let found = match only(answers).map_err(|_| Failure::cut_short("the server"))? {
            Value::Map(pairs) => pairs.into_iter().next().map(|(_, value)| text(value)),
            other => items(other).ok().and_then(|mut list| list.pop()).map(text),
        };
        Ok(found)
    }
}

fn text(value: Value) -> String {
    let found = bytes(value).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&found).into_owned()
}

fn check_version(info: &str) -> Result<()> {
    let found = info.lines().find_map(|line| line.trim().strip_prefix("redis_version:"));
    let Some(version) = found else { return Ok(()) };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    let version_found = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if version_found >= OLDEST {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let why = format!("the server is Redis {version}; {major}.{minor} or newer is needed");
    Err(Error::new(ErrorKind::Config, why))
}
