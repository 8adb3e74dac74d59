//! What the operations of one adapter share.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pstate_core::{Atomicity, Capabilities, ChangeHub, Durability, Error, Result};
use redis::Value;

use super::gathering::Gathering;
use super::in_flight::InFlightWrites;
use super::own_writes::OwnWrites;
use super::rebuilds::Rebuilds;
use super::registry::Registry;
use super::scripts::Scripts;
use super::sizes::Sizes;
use crate::config::{Placement, RedisConfig};
use crate::error::{Effect, Failure};
use crate::layout::Layout;
use crate::server::{Servers, Unit};

/// How many keys or writes go in one call.
const MAX_BATCH: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: RedisConfig,
    pub(crate) capabilities: Capabilities,
    pub(crate) layout: Layout,
    pub(crate) servers: Servers,
    pub(crate) scripts: Scripts,
    pub(crate) registry: Registry,
    pub(crate) rebuilds: Rebuilds,
    /// Where writes are published when they are visible, and before they are acknowledged.
    pub(crate) hub: ChangeHub,
    pub(crate) in_flight: InFlightWrites,
    pub(crate) gathering: Arc<Gathering>,
    pub(crate) own_writes: OwnWrites,
    pub(crate) sizes: Sizes,
    closed: AtomicBool,
}

impl Store {
    /// A store whose durability is not known yet.
    pub(super) fn new(config: RedisConfig, servers: Servers) -> Self {
        let atomicity = match config.placement {
            Placement::PerSpace => Atomicity::Batch,
            Placement::PerKey => Atomicity::Key,
        };
        Self {
            capabilities: Capabilities::new(atomicity, Durability::None)
                .max_batch(MAX_BATCH)
                .max_value_len(config.max_value_len),
            layout: Layout::new(&config.prefix, config.placement),
            own_writes: OwnWrites::new(config.read_from_replicas.then_some(config.own_writes)),
            config,
            servers,
            scripts: Scripts::default(),
            sizes: Sizes::default(),
            registry: Registry::default(),
            rebuilds: Rebuilds::default(),
            hub: ChangeHub::new(),
            in_flight: InFlightWrites::default(),
            gathering: Arc::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::store_closed()) } else { Ok(()) }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.servers.disconnect();
    }

    /// Waits until each server that is written to has answered.
    pub(crate) async fn reach_primaries(&self) -> Result<()> {
        self.check_open()?;
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        for place in self.servers.primaries().await.map_err(failed)? {
            let question = self.servers.barrier(&self.layout.format());
            self.servers.send_at(&place, question).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The answers to commands that only read.
    pub(crate) async fn read(&self, unit: Unit) -> Result<Vec<Value>> {
        let answers = self.servers.send_one(unit, Effect::Read).await;
        answers.map_err(|failure| failure.into_error(Effect::Read))
    }
}
