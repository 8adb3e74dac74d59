//! What the operations of one adapter share.

use std::sync::atomic::{AtomicBool, Ordering};

use pstate_core::{ChangeHub, Result};
use redis::Value;

use crate::config::RedisConfig;
use crate::error::{Effect, closed};
use crate::layout::Layout;
use crate::own_writes::OwnWrites;
use crate::registry::Registry;
use crate::script::Scripts;
use crate::servers::{Servers, Unit};
use crate::under_way::UnderWay;

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: RedisConfig,
    pub(crate) layout: Layout,
    pub(crate) servers: Servers,
    pub(crate) scripts: Scripts,
    pub(crate) registry: Registry,
    /// Is told what is written, when it is visible and before anybody is answered.
    pub(crate) hub: ChangeHub,
    pub(crate) under_way: UnderWay,
    pub(crate) own_writes: OwnWrites,
    closed: AtomicBool,
}

impl Store {
    pub(crate) fn new(config: RedisConfig, servers: Servers) -> Self {
        Self {
            layout: Layout::new(&config.prefix, config.placement),
            own_writes: OwnWrites::new(config.read_from_replicas.then_some(config.own_writes)),
            config,
            servers,
            scripts: Scripts::default(),
            registry: Registry::default(),
            hub: ChangeHub::new(),
            under_way: UnderWay::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.servers.disconnect();
    }

    /// The answers to commands that only read.
    pub(crate) async fn read(&self, unit: Unit) -> Result<Vec<Value>> {
        let answers = self.servers.send_one(unit, Effect::Read).await;
        answers.map_err(|failure| failure.into_error(Effect::Read))
    }
}
