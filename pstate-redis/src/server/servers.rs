//! One server or a Cluster: where units are sent.

use std::sync::Arc;

use pstate_core::Result;
use redis::{Cmd, Value};

use super::answer::only;
use super::cluster::Cluster;
use super::node::Node;
use super::topology::{check_followed, question};
use super::unit::{Answers, Unit, checked};
use crate::config::RedisConfig;
use crate::error::{Effect, Failure};

/// The servers of a store.
#[derive(Debug)]
pub(crate) enum Servers {
    Single(Box<Node>),
    Cluster(Cluster),
}

impl Servers {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, Failure> {
        if config.cluster {
            return Ok(Self::Cluster(Cluster::new(config)));
        }
        let (host, port) =
            config.nodes.first().ok_or_else(|| Failure::config("no server is given".to_owned()))?;
        Node::new(config, host, *port, false, Arc::default()).map(Box::new).map(Self::Single)
    }

    /// Whether keys of several slots need several units.
    pub(crate) const fn is_cluster(&self) -> bool {
        match self {
            Self::Single(_) => false,
            Self::Cluster(_) => true,
        }
    }

    /// How often the servers that are written to have changed, or connections to them broke: a
    /// server that was restarted may have lost something.
    pub(crate) fn changes(&self) -> u64 {
        match self {
            Self::Single(node) => node.changes(),
            Self::Cluster(cluster) => cluster.changes(),
        }
    }

    /// Sends all units at once, and returns the answers to each.
    pub(crate) async fn send(&self, units: Vec<Unit>, effect: Effect) -> Vec<Answers> {
        match self {
            Self::Single(node) => node.send_all(units).await.into_iter().map(by_itself).collect(),
            Self::Cluster(cluster) => cluster.send(units, effect).await,
        }
    }

    pub(crate) async fn send_one(&self, unit: Unit, effect: Effect) -> Answers {
        match self {
            Self::Single(node) => by_itself(node.send_one(unit).await),
            Self::Cluster(_) => {
                let mut answers = self.send(vec![unit], effect).await;
                answers.pop().unwrap_or_else(|| Ok(Vec::new()))
            }
        }
    }

    /// The servers that may be written to, by host and port, in order.
    pub(crate) async fn primaries(&self) -> Result<Vec<(String, u16)>, Failure> {
        match self {
            Self::Single(node) => Ok(vec![node.place.clone()]),
            Self::Cluster(cluster) => cluster.primaries().await,
        }
    }

    /// Sends commands to one of the [`primaries`](Self::primaries), whatever its slots.
    pub(crate) async fn send_at(&self, place: &(String, u16), commands: Vec<Cmd>) -> Answers {
        let unit = Unit::without_key(commands);
        match self {
            Self::Single(node) => by_itself(node.send_one(unit).await),
            Self::Cluster(cluster) => cluster.node(place)?.send_one(unit).await,
        }
    }

    /// The commands whose answers show that all earlier messages of a server have arrived, and that
    /// it still is one of those that are written to. One server also says what it has under `note`.
    pub(crate) fn barrier(&self, note: &str) -> Vec<Cmd> {
        match self {
            Self::Single(_) => {
                let mut get = redis::cmd("GET");
                get.arg(note);
                // Without arguments it changes nothing, and the answer has the server's role. Users
                // without dangerous commands may call it, and may not call `ROLE`.
                vec![redis::cmd("HELLO"), get]
            }
            Self::Cluster(_) => question(),
        }
    }

    /// Checks the answers to the [`barrier`](Self::barrier) of the server at `host`. Returns what
    /// it has under the name of the note, if it was asked.
    pub(crate) fn check_barrier(
        &self,
        address: &str,
        host: &str,
        answers: Vec<Value>,
        followed: &[(String, u16)],
    ) -> Result<Option<Value>, Failure> {
        let count = answers.len();
        let mut answers = checked(address, answers, count)?;
        match self {
            Self::Single(_) => {
                let note = answers.pop();
                check_role(address, answers)?;
                Ok(note)
            }
            Self::Cluster(_) => {
                check_followed(address, host, answers, followed)?;
                Ok(None)
            }
        }
    }

    pub(crate) fn disconnect(&self) {
        match self {
            Self::Single(node) => node.disconnect(),
            Self::Cluster(cluster) => cluster.disconnect(),
        }
    }
}

fn by_itself(answers: Answers) -> Answers {
    answers.map_err(Failure::by_itself)
}

/// Refuses a replica: writes go to its primary, and arrive here late.
fn check_role(address: &str, answers: Vec<Value>) -> Result<(), Failure> {
    let is_role = |(name, _): &(Value, Value)| *name == Value::BulkString(b"role".into());
    let role = match only(answers) {
        Ok(Value::Map(parts)) => parts.into_iter().find(is_role).map(|(_, role)| role),
        _ => None,
    };
    match role {
        Some(Value::BulkString(role)) if role == b"master" => Ok(()),
        _ => Err(Failure::unavailable(format!("{address}: it is no primary any more"))),
    }
}
