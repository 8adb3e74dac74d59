//! The Redis adapter keeps the contract, in both placements.

use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::{env, fs, process};

use async_trait::async_trait;
use pstate_core::{Adapter, Key, Result, Space};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::conformance::{Harness, is_child_process};
#[cfg(feature = "cluster")]
use pstate_testkit::redis::{Cluster, Reply};
use pstate_testkit::redis::{Server, ServerOptions};

/// One server for all cases: a store is a prefix.
struct Single {
    placement: Placement,
    server: OnceLock<Started<Server>>,
}

impl Single {
    fn new(placement: Placement) -> Self {
        Self { placement, server: OnceLock::new() }
    }

    fn config(&self, id: &str) -> RedisConfig {
        let address = address(self.name(), &self.server, || {
            let server = Server::start_with(&ServerOptions::new().durable());
            add_user(&server);
            (format!("redis://app:secret@127.0.0.1:{}", server.port()), server)
        });
        config(&address, id, self.placement)
    }

    fn name(&self) -> &'static str {
        match self.placement {
            Placement::PerSpace => "per-space",
            Placement::PerKey => "per-key",
        }
    }

    fn server(&self) -> &Server {
        &self.server.get().expect("the process that has started the server").servers
    }
}

fn config(address: &str, id: &str, placement: Placement) -> RedisConfig {
    let config = RedisConfig::from_url(address).expect("an address");
    config.prefix(id).placement(placement)
}

/// Servers that are started once, and the file in which child processes find their address: those
/// must not start servers of their own.
struct Started<T> {
    address: String,
    file: PathBuf,
    servers: T,
}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn address<T>(
    name: &str,
    started: &OnceLock<Started<T>>,
    start: impl FnOnce() -> (String, T),
) -> String {
    let file = |process: u32| {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{name}-{process}"))
    };
    if is_child_process() {
        return fs::read_to_string(file(parent_id())).expect("the address of the parent's server");
    }
    let started = started.get_or_init(|| {
        let ((address, servers), file) = (start(), file(process::id()));
        fs::write(&file, &address).expect("a file for the address");
        Started { address, file, servers }
    });
    started.address.clone()
}

#[async_trait]
impl Harness for Single {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        Ok(Arc::new(RedisAdapter::connect_with(self.config(id)).await?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        if self.server.get().is_some() {
            remove(self.server(), id);
        }
        Ok(())
    }

    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        damage(self.server(), &record(self.placement, id, space, key));
        Ok(true)
    }
}

/// One Cluster for all cases.
#[cfg(feature = "cluster")]
struct Clustered {
    placement: Placement,
    cluster: OnceLock<Started<Cluster>>,
}

#[cfg(feature = "cluster")]
impl Clustered {
    fn new(placement: Placement) -> Self {
        Self { placement, cluster: OnceLock::new() }
    }

    fn config(&self, id: &str) -> RedisConfig {
        let name = match self.placement {
            Placement::PerSpace => "cluster-per-space",
            Placement::PerKey => "cluster-per-key",
        };
        let address = address(name, &self.cluster, || {
            let cluster = Cluster::start_with(&ServerOptions::new().durable());
            for server in cluster.servers() {
                add_user(server);
                // A machine under load must not make a replica take over, which loses writes.
                server.command(&["CONFIG", "SET", "cluster-node-timeout", "15000"]);
            }
            (format!("redis+cluster://app:secret@{}", cluster.hosts()), cluster)
        });
        config(&address, id, self.placement)
    }

    fn primaries(&self) -> &[Server] {
        let started = self.cluster.get().expect("the process that has started the Cluster");
        &started.servers.servers()[..3]
    }
}

#[cfg(feature = "cluster")]
#[async_trait]
impl Harness for Clustered {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        Ok(Arc::new(RedisAdapter::connect_with(self.config(id)).await?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        if self.cluster.get().is_some() {
            self.primaries().iter().for_each(|server| remove(server, id));
        }
        Ok(())
    }

    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let name = record(self.placement, id, space, key);
        let place =
            |server: &&Server| !matches!(server.try_command(&["DEL", &name]), Ok(Reply::Error(_)));
        let server = self.primaries().iter().find(place).expect("a server with the record's slot");
        damage(server, &name);
        Ok(true)
    }
}

/// Adds the user of the README, who may do what the adapter needs and no more. Here each store has
/// a prefix of its own, so the user may touch all keys.
fn add_user(server: &Server) {
    let readme = include_str!("../README.md");
    let rules = readme.lines().find_map(|line| line.strip_prefix("    ACL SETUSER app "));
    let rules = rules.expect("the rules in the README").split_whitespace();
    let mut command = vec!["ACL", "SETUSER", "app", "~*"];
    command.extend(rules.filter(|rule| !rule.starts_with('~') && *rule != "resetkeys"));
    server.command(&command);
}

/// Removes whatever begins with the prefix.
fn remove(server: &Server, id: &str) {
    let denied = server.command(&["ACL", "LOG"]);
    assert!(denied.list().is_empty(), "the README lacks what the adapter needs: {denied:?}");
    for pattern in [format!("{id}:*"), format!("{{{id}:*")] {
        let keys = server.command(&["KEYS", &pattern]);
        for key in keys.list() {
            // Its bytes may be no text. Keys that stay behind do no harm.
            let _ = server.try_command(&["DEL", key.text()]);
        }
    }
}

fn record(placement: Placement, id: &str, space: &Space, key: &Key) -> String {
    match placement {
        Placement::PerSpace => format!("{{{id}:{space}}}:{key}"),
        Placement::PerKey => format!("{id}:{space}:{key}"),
    }
}

/// Something else in a record's place, as only another program can put it there.
fn damage(server: &Server, name: &str) {
    server.command(&["DEL", name]);
    server.command(&["LPUSH", name, "no record"]);
}

#[cfg(not(feature = "cluster"))]
pstate_testkit::conformance!(
    "per_space" => Single::new(Placement::PerSpace),
    "per_key" => Single::new(Placement::PerKey),
);

#[cfg(feature = "cluster")]
pstate_testkit::conformance!(
    "per_space" => Single::new(Placement::PerSpace),
    "per_key" => Single::new(Placement::PerKey),
    "cluster_per_space" => Clustered::new(Placement::PerSpace),
    "cluster_per_key" => Clustered::new(Placement::PerKey),
);
