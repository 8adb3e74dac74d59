//! A Cluster: sending each unit to the server that has its slot, and what to do when it has not.
//!
//! The `redis` crate has a client for Clusters, too. It repeats a command whose connection broke,
//! also one that writes, although the server may have done it. Repeated after another's write, a
//! put would undo that write, and a compare-and-swap that has succeeded would fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::members::Members;
use super::node::Node;
use super::pending::Pending;
use super::topology::Topology;
use super::unit::{Answers, Unit};
use crate::config::RedisConfig;
use crate::error::{Effect, Failure, Redirect};

/// How long to wait before sending a refused command again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How often to follow redirections at once: to the new holder of a slot, and from there to the one
/// that takes it over. What is redirected again waits.
const ROUNDS_AT_ONCE: usize = 3;

/// A Cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    members: Arc<Members>,
    /// For how long to send refused units again.
    timeout: Duration,
    /// Counts reads from replicas, to take them in turn.
    turn: AtomicUsize,
}

impl Cluster {
    pub(super) fn new(config: &RedisConfig) -> Self {
        Self {
            members: Arc::new(Members::new(config)),
            timeout: config.response_timeout,
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends each unit to the server that has its slot, and follows it where that has moved.
    ///
    /// Sends refused units again for as long as an answer may take, because nothing was done;
    /// unless no server has ever said which of them has which slot, as while a store is opened.
    /// Sends reads again that got no answer. A write that got no answer may have been done.
    pub(super) async fn send(&self, units: Vec<Unit>, effect: Effect) -> Vec<Answers> {
        let mut answers: Vec<Option<Answers>> = units.iter().map(|_| None).collect();
        let pending = |(place, unit)| Pending::new(place, unit);
        let mut pending: Vec<Pending> = units.into_iter().enumerate().map(pending).collect();
        let end = Instant::now() + self.timeout;
        let mut pause = FIRST_PAUSE;
        for round in 1.. {
            let (answered, left) = self.attempt(pending, effect).await;
            for (place, answer) in answered {
                answers[place] = Some(answer);
            }
            pending = left;
            if pending.is_empty() {
                break;
            }
            // While a slot moves, two servers may redirect to each other.
            let wait =
                round > ROUNDS_AT_ONCE || pending.iter().any(|pending| pending.redirect.is_none());
            let now = Instant::now();
            if now + pause >= end || !self.members.is_known() {
                for Pending { place, failure, .. } in pending {
                    answers[place] = failure.map(Err);
                }
                break;
            }
            if wait {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                // The server may not know better yet, or not answer. The next attempt asks again.
                let _ = self.members.refresh().await;
            } else if pending
                .iter()
                .any(|pending| matches!(pending.redirect, Some(Redirect::Moved(..))))
            {
                let _ = self.members.refresh().await;
            }
        }
        let missing = || Err(Failure::unavailable("the Cluster gives no answer".to_owned()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// Sends all units once. Returns the answers, and the units to send again.
    async fn attempt(
        &self,
        pending: Vec<Pending>,
        effect: Effect,
    ) -> (Vec<(usize, Answers)>, Vec<Pending>) {
        let topology = match self.members.topology().await {
            Ok(topology) => topology,
            Err(failure) => return after_failure(pending, &failure),
        };
        let (mut answered, mut again) = (Vec::new(), Vec::new());
        let mut groups: HashMap<(String, u16, bool), Vec<Pending>> = HashMap::new();
        for mut pending in pending {
            if let Some(place) = self.place_of(&topology, &pending, effect) {
                groups.entry(place).or_default().push(pending);
            } else {
                let why = format!("no server has slot {}", pending.unit.slot);
                pending.failure = Some(Failure::unavailable(why));
                again.push(pending);
            }
        }
        let sent = groups.into_iter().map(async |((host, port, replica), group)| {
            let node = match self.members.node(&host, port, replica) {
                Ok(node) => node,
                Err(failure) => return (host, replica, group, Err(failure)),
            };
            let units = group.iter().map(Pending::to_send).collect();
            (host, replica, group, Ok(node.send_all(units).await))
        });
        for (host, replica, group, sent) in join_all(sent).await {
            let answers = match sent {
                Ok(answers) => answers,
                Err(failure) => group.iter().map(|_| Err(failure.clone())).collect(),
            };
            for (mut pending, answer) in group.into_iter().zip(answers) {
                let failure = match answer {
                    Ok(values) => {
                        answered.push((pending.place, Ok(pending.received(values))));
                        continue;
                    }
                    Err(failure) => failure,
                };
                pending.redirect = failure.redirect(&host);
                pending.primary_only = replica;
                let try_again = pending.redirect.is_some()
                    || failure.is_about_routing()
                    || (failure.may_be_read_again() && effect == Effect::Read);
                if try_again {
                    pending.failure = Some(failure);
                    again.push(pending);
                } else {
                    answered.push((pending.place, Err(failure)));
                }
            }
        }
        (answered, again)
    }

    /// Where to send a unit: host, port, and whether the server is a replica.
    fn place_of(
        &self,
        topology: &Topology,
        pending: &Pending,
        effect: Effect,
    ) -> Option<(String, u16, bool)> {
        if let Some(Redirect::Moved(host, port) | Redirect::Ask(host, port)) = &pending.redirect {
            return Some((host.clone(), *port, false));
        }
        let shard = topology.shard(pending.unit.slot)?;
        let replicas = &shard.replicas;
        let anywhere = pending.unit.from_replica && effect == Effect::Read && !pending.primary_only;
        if anywhere && !replicas.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let (host, port) = replicas[turn % replicas.len()].clone();
            return Some((host, port, true));
        }
        let (host, port) = shard.primary.clone();
        Some((host, port, false))
    }

    /// How often the primaries have changed, or connections broke.
    pub(super) fn changes(&self) -> u64 {
        self.members.changes()
    }

    /// Asks for the primaries.
    pub(super) async fn primaries(&self) -> Result<Vec<(String, u16)>, Failure> {
        let topology = self.members.ask().await?;
        Ok(topology.primaries.clone())
    }

    pub(super) fn node(&self, (host, port): &(String, u16)) -> Result<Arc<Node>, Failure> {
        self.members.node(host, *port, false)
    }

    pub(super) fn disconnect(&self) {
        self.members.disconnect();
    }
}

fn after_failure(
    pending: Vec<Pending>,
    failure: &Failure,
) -> (Vec<(usize, Answers)>, Vec<Pending>) {
    // Nothing was sent of what is pending.
    let failure = failure.clone().without_effect();
    if !failure.may_be_sent_again() {
        let failed = pending.into_iter().map(|pending| (pending.place, Err(failure.clone())));
        return (failed.collect(), Vec::new());
    }
    let again = pending.into_iter().map(|pending| Pending {
        failure: Some(failure.clone()),
        redirect: None,
        ..pending
    });
    (Vec::new(), again.collect())
}
