//! The servers of a Cluster, and asking them for the topology.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, select_ok};
use parking_lot::Mutex;

use super::node::Node;
use super::topology::{Topology, question};
use super::unit::Unit;
use crate::config::RedisConfig;
use crate::error::Failure;

/// How old the topology may be where replicas are read: no server notifies of new ones.
const REPLICAS_KNOWN: Duration = Duration::from_secs(30);

/// How old the topology may be where a server has redirected a call, which follows it anyway.
const FRESH: Duration = Duration::from_millis(100);

/// All servers of a Cluster. A task that asks for the topology holds it.
#[derive(Debug)]
pub(super) struct Members {
    config: RedisConfig,
    nodes: Mutex<HashMap<(String, u16, bool), Arc<Node>>>,
    topology: Mutex<Option<Arc<Topology>>>,
    asking: Mutex<Option<Asking>>,
    /// How often the primaries have changed, or connections broke.
    changes: Arc<AtomicU64>,
}

type Asking = Shared<BoxFuture<'static, Result<Arc<Topology>, Failure>>>;

impl Members {
    pub(super) fn new(config: &RedisConfig) -> Self {
        Self {
            config: config.clone(),
            nodes: Mutex::default(),
            topology: Mutex::new(None),
            asking: Mutex::new(None),
            changes: Arc::default(),
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn disconnect(&self) {
        for (_, node) in self.nodes.lock().drain() {
            node.disconnect();
        }
    }

    /// The server at an address. It connects when it is needed.
    pub(super) fn node(&self, host: &str, port: u16, replica: bool) -> Result<Arc<Node>, Failure> {
        let mut nodes = self.nodes.lock();
        let key = (host.to_owned(), port, replica);
        if let Some(node) = nodes.get(&key) {
            return Ok(Arc::clone(node));
        }
        let changes = Arc::clone(&self.changes);
        let node = Arc::new(Node::new(&self.config, host, port, replica, changes)?);
        nodes.insert(key, Arc::clone(&node));
        Ok(node)
    }

    /// The topology that is known, or the first one.
    pub(super) async fn topology(self: &Arc<Self>) -> Result<Arc<Topology>, Failure> {
        let known = self.topology.lock().clone();
        match known {
            Some(topology) => {
                if self.config.read_from_replicas && topology.asked.elapsed() > REPLICAS_KNOWN {
                    // A task of its own asks, and this call does not wait for it.
                    drop(self.begin_to_ask());
                }
                Ok(topology)
            }
            None => self.ask().await,
        }
    }

    /// Asks which server has which slot. All calls that need it at once wait for the same answer. A
    /// task asks, so that it does not depend on them.
    pub(super) async fn ask(self: &Arc<Self>) -> Result<Arc<Topology>, Failure> {
        self.begin_to_ask().await
    }

    /// Whether any server has said which of them has which slot.
    pub(super) fn is_known(&self) -> bool {
        self.topology.lock().is_some()
    }

    /// Asks which server has which slot, unless that was asked just now. So calls that meet the
    /// same moving slot do not ask for each.
    pub(super) async fn refresh(self: &Arc<Self>) -> Result<Arc<Topology>, Failure> {
        let known = self.topology.lock().clone();
        match known {
            Some(topology) if topology.asked.elapsed() < FRESH => Ok(topology),
            _ => self.ask().await,
        }
    }

    fn begin_to_ask(self: &Arc<Self>) -> Asking {
        let mut asking = self.asking.lock();
        if let Some(asking) = &*asking
            && asking.peek().is_none()
        {
            return asking.clone();
        }
        let members = Arc::clone(self);
        let answer = async move { members.ask_all().await }.boxed().shared();
        // It runs to its end whether a call waits for it or not.
        tokio::spawn(answer.clone());
        asking.insert(answer).clone()
    }

    /// Asks all known servers, and takes the first answer of one that is in touch with most of the
    /// others. So a server that is down does not delay it, and one that is cut off does not mislead
    /// it.
    async fn ask_all(&self) -> Result<Arc<Topology>, Failure> {
        let mut places: Vec<(String, u16)> = self.config.nodes.clone();
        if let Some(topology) = &*self.topology.lock() {
            places.extend(topology.primaries.iter().cloned());
            places.extend(topology.replicas());
        }
        places.sort_unstable();
        places.dedup();
        let asked = places.into_iter().map(|(host, port)| {
            async move {
                let node = self.node(&host, port, false)?;
                let answers = node.send_one(Unit::without_key(question())).await?;
                Topology::check(&node.address, &host, answers)
            }
            .boxed()
        });
        let (topology, _) = select_ok(asked).await?;
        let topology = Arc::new(topology);
        let before = self.topology.lock().replace(Arc::clone(&topology));
        if before.is_some_and(|before| before.primaries != topology.primaries) {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        Ok(topology)
    }
}
