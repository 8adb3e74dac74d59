//! One server or a Cluster: where commands are sent.

use pstate_core::Result;
use redis::{Cmd, Value};

use crate::answer::{items, only};
use crate::cluster::{self, Cluster};
use crate::config::RedisConfig;
use crate::connection::Node;
use crate::error::{Effect, Failure};
use crate::layout::{Slot, slot};

/// Commands about keys of one slot, sent together and in order on one connection.
///
/// If it writes, it does so wholly or not at all: it is one command, one script or one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) slot: Slot,
    pub(crate) commands: Vec<Cmd>,
    /// Whether a replica may answer it.
    pub(crate) from_replica: bool,
}

impl Unit {
    /// A unit in the slot of `key`.
    pub(crate) fn new(key: &str, commands: Vec<Cmd>) -> Self {
        Self { slot: slot(key.as_bytes()), commands, from_replica: false }
    }
}

/// The answers to a unit, none of them an error; or why there are none.
pub(crate) type Answers = Result<Vec<Value>, Failure>;

/// Where commands are sent.
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
            config.nodes.first().ok_or_else(|| Failure::config("no server is named".to_owned()))?;
        Node::new(config, host, *port, false).map(Box::new).map(Self::Single)
    }

    /// Whether keys of several slots have to be asked for one by one.
    pub(crate) const fn is_cluster(&self) -> bool {
        match self {
            Self::Single(_) => false,
            Self::Cluster(_) => true,
        }
    }

    /// How often it was found that other servers are written to than before.
    pub(crate) fn changes(&self) -> u64 {
        match self {
            Self::Single(_) => 0,
            Self::Cluster(cluster) => cluster.changes(),
        }
    }

    /// Sends all units at once, and gives the answers to each.
    pub(crate) async fn send(&self, units: Vec<Unit>, effect: Effect) -> Vec<Answers> {
        match self {
            Self::Single(node) => send_to(node, units).await,
            Self::Cluster(cluster) => cluster.send(units, effect).await,
        }
    }

    pub(crate) async fn send_one(&self, unit: Unit, effect: Effect) -> Answers {
        match self {
            Self::Single(node) => send_one_to(node, unit).await,
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

    /// Sends commands to one of the [`primaries`](Self::primaries), whatever slots it has.
    pub(crate) async fn send_at(&self, place: &(String, u16), commands: Vec<Cmd>) -> Answers {
        let unit = Unit { slot: 0, commands, from_replica: false };
        match self {
            Self::Single(node) => send_one_to(node, unit).await,
            Self::Cluster(cluster) => send_one_to(&*cluster.node(place)?, unit).await,
        }
    }

    /// What is asked of a server to know that everything before has arrived, and that it still is one of
    /// those that are written to.
    pub(crate) fn barrier(&self) -> Vec<Cmd> {
        match self {
            Self::Single(_) => vec![redis::cmd("ROLE")],
            Self::Cluster(_) => cluster::question(),
        }
    }

    /// Checks the answers to the [`barrier`](Self::barrier) of one that is reached at `host`.
    pub(crate) fn check_barrier(
        &self,
        address: &str,
        host: &str,
        answers: Vec<Value>,
        followed: &[(String, u16)],
    ) -> Result<(), Failure> {
        let answers = checked(address, answers, self.barrier().len())?;
        match self {
            Self::Single(_) => check_role(address, answers),
            Self::Cluster(_) => cluster::check_followed(address, host, answers, followed),
        }
    }

    pub(crate) fn disconnect(&self) {
        match self {
            Self::Single(node) => node.disconnect(),
            Self::Cluster(cluster) => cluster.disconnect(),
        }
    }
}

/// Sends one unit to a server.
pub(crate) async fn send_one_to(node: &Node, unit: Unit) -> Answers {
    let count = unit.commands.len();
    let answers = checked(&node.address, node.send(unit.commands).await?, count);
    look_elsewhere(node, std::slice::from_ref(&answers));
    answers
}

/// A server that is written to no more may have been replaced by another of the same name: the next call
/// connects anew.
fn look_elsewhere(node: &Node, answers: &[Answers]) {
    let replaced = |answer: &Answers| answer.as_ref().is_err_and(|failure| failure.is("READONLY"));
    if answers.iter().any(replaced) {
        node.disconnect();
    }
}

/// Sends the units to one server in one go.
pub(crate) async fn send_to(node: &Node, units: Vec<Unit>) -> Vec<Answers> {
    let counts: Vec<usize> = units.iter().map(|unit| unit.commands.len()).collect();
    let commands = units.into_iter().flat_map(|unit| unit.commands).collect();
    let mut values = match node.send(commands).await {
        Ok(values) => values.into_iter(),
        Err(failure) => return counts.into_iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut next = |count| checked(&node.address, values.by_ref().take(count).collect(), count);
    let answers: Vec<Answers> = counts.into_iter().map(&mut next).collect();
    look_elsewhere(node, &answers);
    answers
}

/// A server that follows another is not the one that is written to: what is written there comes here late.
fn check_role(address: &str, answers: Vec<Value>) -> Result<(), Failure> {
    let role = only(answers).and_then(items).map(|parts| parts.into_iter().next());
    match role {
        Ok(Some(Value::BulkString(role))) if role == b"master" => Ok(()),
        _ => Err(Failure::unavailable(format!("{address}: it is written to no more"))),
    }
}

/// The first error among the answers is why a unit was not done: of a transaction it is the one that
/// came when a command was queued. One that came when the queue was executed is within the last answer, and the
/// commands before and behind it were done.
fn checked(address: &str, values: Vec<Value>, count: usize) -> Answers {
    if values.len() != count {
        return Err(Failure::cut_short(address));
    }
    let failed = |value: &Value| match value {
        Value::ServerError(error) => Some(Failure::refused(address, error)),
        Value::Array(items) => items.iter().find_map(|item| match item {
            Value::ServerError(error) => Some(Failure::refused(address, error).with_effect()),
            _ => None,
        }),
        _ => None,
    };
    match values.iter().find_map(failed) {
        Some(failure) => Err(failure),
        None => Ok(values),
    }
}
