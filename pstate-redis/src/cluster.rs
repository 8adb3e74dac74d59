//! A Cluster: which server has which slot, and what to do when it has not.
//!
//! The `redis` crate has a client for Clusters, too. It sends a command again whose connection broke,
//! also one that writes, although the server may have done it. Done twice, with another's write in between,
//! a put would undo that write, and a compare-and-swap would fail that has succeeded.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all, select_ok};
use parking_lot::Mutex;
use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use crate::answer::{bytes, integer, items};
use crate::config::RedisConfig;
use crate::connection::Node;
use crate::error::{Effect, Failure, Redirect};
use crate::layout::{SLOTS, Slot};
use crate::servers::{Answers, Unit, send_one_to, send_to};

/// How long to wait before a command that was refused is sent again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How old the topology may be where replicas are read: nothing tells of new ones.
const REPLICAS_KNOWN: Duration = Duration::from_secs(30);

/// All servers of a Cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    shared: Arc<Servers>,
    patience: Duration,
    /// Whose turn it is among replicas.
    turn: AtomicUsize,
}

/// What the task needs that asks for the topology.
#[derive(Debug)]
struct Servers {
    config: RedisConfig,
    nodes: Mutex<HashMap<(String, u16, bool), Arc<Node>>>,
    topology: Mutex<Option<Arc<Topology>>>,
    asking: Mutex<Option<Asking>>,
    changes: AtomicU64,
}

type Asking = Shared<BoxFuture<'static, Result<Arc<Topology>, Failure>>>;

/// Who has which slot, as one server has said.
#[derive(Debug)]
pub(crate) struct Topology {
    shards: Vec<Shard>,
    /// Whoever may be written to, in order: a primary that has no slot yet, too, while it is taking one over.
    primaries: Vec<(String, u16)>,
    /// For each slot the number of its shard.
    slots: Vec<Option<u16>>,
    asked: Instant,
}

#[derive(Debug)]
struct Shard {
    primary: (String, u16),
    replicas: Vec<(String, u16)>,
}

/// A unit that has no answer yet.
struct Pending {
    place: usize,
    unit: Unit,
    redirect: Option<Redirect>,
    failure: Option<Failure>,
    /// A replica has failed it.
    primary_only: bool,
}

impl Cluster {
    pub(crate) fn new(config: &RedisConfig) -> Self {
        let shared = Servers {
            config: config.clone(),
            nodes: Mutex::default(),
            topology: Mutex::new(None),
            asking: Mutex::new(None),
            changes: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
            patience: config.response_timeout,
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends each unit to the server that has its slot, and follows it where that has moved.
    ///
    /// What a server has refused is sent again for as long as an answer may take: nothing was done. So
    /// is a read that got no answer. A write that got no answer may have been done.
    pub(crate) async fn send(&self, units: Vec<Unit>, effect: Effect) -> Vec<Answers> {
        let mut answers: Vec<Option<Answers>> = units.iter().map(|_| None).collect();
        let pending = |(place, unit)| Pending {
            place,
            unit,
            redirect: None,
            failure: None,
            primary_only: false,
        };
        let mut pending: Vec<Pending> = units.into_iter().enumerate().map(pending).collect();
        let end = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let (answered, left) = self.attempt(pending, effect).await;
            for (place, answer) in answered {
                answers[place] = Some(answer);
            }
            pending = left;
            if pending.is_empty() {
                break;
            }
            let wait = pending.iter().any(|pending| pending.redirect.is_none());
            let now = Instant::now();
            if now + pause >= end {
                for Pending { place, failure, .. } in pending {
                    answers[place] = failure.map(Err);
                }
                break;
            }
            if wait {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                // Whoever is asked may know no better yet, or not answer: then it is tried again.
                let _ = self.shared.ask().await;
            } else if pending
                .iter()
                .any(|pending| matches!(pending.redirect, Some(Redirect::Moved(..))))
            {
                let _ = self.shared.ask().await;
            }
        }
        let missing = || Err(Failure::unavailable("the Cluster gives no answer".to_owned()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// Sends all units once. Gives the answers, and what is to be sent again.
    async fn attempt(
        &self,
        pending: Vec<Pending>,
        effect: Effect,
    ) -> (Vec<(usize, Answers)>, Vec<Pending>) {
        let topology = match self.shared.topology().await {
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
            let node = match self.shared.node(&host, port, replica) {
                Ok(node) => node,
                Err(failure) => return (host, replica, group, Err(failure)),
            };
            let units = group.iter().map(Pending::to_send).collect();
            (host, replica, group, Ok(send_to(&node, units).await))
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
                let may_go_on = pending.redirect.is_some()
                    || failure.is_about_routing()
                    || (failure.may_be_read_again() && effect == Effect::Read);
                if may_go_on {
                    pending.failure = Some(failure);
                    again.push(pending);
                } else {
                    answered.push((pending.place, Err(failure)));
                }
            }
        }
        (answered, again)
    }

    /// Where a unit is sent: host, port, and whether as to a replica.
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

    /// How often other servers were primaries than before.
    pub(crate) fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Acquire)
    }

    /// The primaries, asked for anew.
    pub(crate) async fn primaries(&self) -> Result<Vec<(String, u16)>, Failure> {
        let topology = self.shared.ask().await?;
        Ok(topology.primaries.clone())
    }

    pub(crate) fn node(&self, (host, port): &(String, u16)) -> Result<Arc<Node>, Failure> {
        self.shared.node(host, *port, false)
    }

    pub(crate) fn disconnect(&self) {
        for (_, node) in self.shared.nodes.lock().drain() {
            node.disconnect();
        }
    }
}

impl Pending {
    /// The commands, each with leave to ask a server that is taking the slot over. It holds for one command,
    /// or one transaction.
    fn to_send(&self) -> Unit {
        let mut unit = self.unit.clone();
        if self.is_asking() {
            let asking = || redis::cmd("ASKING");
            if self.is_transaction() {
                unit.commands.insert(0, asking());
            } else {
                unit.commands =
                    unit.commands.into_iter().flat_map(|command| [asking(), command]).collect();
            }
        }
        unit
    }

    /// The answers to the unit's own commands.
    fn received(&self, mut values: Vec<Value>) -> Vec<Value> {
        if self.is_asking() {
            if self.is_transaction() {
                values.remove(0);
            } else {
                values = values.into_iter().skip(1).step_by(2).collect();
            }
        }
        values
    }

    fn is_asking(&self) -> bool {
        matches!(self.redirect, Some(Redirect::Ask(..)))
    }

    fn is_transaction(&self) -> bool {
        let first = self.unit.commands.first().and_then(|command| command.args_iter().next());
        matches!(first, Some(redis::Arg::Simple(name)) if name == b"MULTI")
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

/// What a server is asked about the Cluster.
pub(crate) fn question() -> Vec<Cmd> {
    ["SLOTS", "INFO", "NODES"]
        .map(|about| {
            let mut command = redis::cmd("CLUSTER");
            command.arg(about);
            command
        })
        .into()
}

/// Checks that a server takes exactly those for primaries that are followed, and can know it.
pub(crate) fn check_followed(
    address: &str,
    host: &str,
    answers: Vec<Value>,
    followed: &[(String, u16)],
) -> Result<(), Failure> {
    if Topology::check(address, host, answers)?.primaries == followed {
        return Ok(());
    }
    let why = "the servers that are written to have changed";
    Err(Failure::unavailable(format!("{address}: {why}")))
}

impl Servers {
    /// The server at an address; connected when it is needed.
    fn node(&self, host: &str, port: u16, replica: bool) -> Result<Arc<Node>, Failure> {
        let mut nodes = self.nodes.lock();
        let key = (host.to_owned(), port, replica);
        if let Some(node) = nodes.get(&key) {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(Node::new(&self.config, host, port, replica)?);
        nodes.insert(key, Arc::clone(&node));
        Ok(node)
    }

    async fn topology(self: &Arc<Self>) -> Result<Arc<Topology>, Failure> {
        let known = self.topology.lock().clone();
        match known {
            Some(topology) => {
                if self.config.read_from_replicas && topology.asked.elapsed() > REPLICAS_KNOWN {
                    // A task of its own asks; nobody waits for it.
                    drop(self.begin_to_ask());
                }
                Ok(topology)
            }
            None => self.ask().await,
        }
    }

    /// Asks who has which slot. All who need it at once wait for the same answer, and a task asks, so that it
    /// does not depend on them.
    async fn ask(self: &Arc<Self>) -> Result<Arc<Topology>, Failure> {
        self.begin_to_ask().await
    }

    fn begin_to_ask(self: &Arc<Self>) -> Asking {
        let mut asking = self.asking.lock();
        if let Some(under_way) = &*asking
            && under_way.peek().is_none()
        {
            return under_way.clone();
        }
        let servers = Arc::clone(self);
        let answer = async move { servers.ask_all().await }.boxed().shared();
        // It goes on whoever waits for it.
        tokio::spawn(answer.clone());
        asking.insert(answer).clone()
    }

    /// Asks all servers that are known, and takes the first answer of one that is in touch with most of the
    /// others: one that is down must not hold it up, nor one that is cut off mislead.
    async fn ask_all(&self) -> Result<Arc<Topology>, Failure> {
        let mut places: Vec<(String, u16)> = self.config.nodes.clone();
        if let Some(topology) = &*self.topology.lock() {
            places.extend(topology.primaries.iter().cloned());
            places.extend(topology.shards.iter().flat_map(|shard| shard.replicas.clone()));
        }
        places.sort_unstable();
        places.dedup();
        let asked = places.into_iter().map(|(host, port)| {
            async move {
                let node = self.node(&host, port, false)?;
                let unit = Unit { slot: 0, commands: question(), from_replica: false };
                Topology::check(&node.address, &host, send_one_to(&node, unit).await?)
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

impl Topology {
    fn shard(&self, slot: Slot) -> Option<&Shard> {
        let shard = self.slots.get(usize::from(slot)).copied().flatten()?;
        self.shards.get(usize::from(shard))
    }

    /// What the answers to the [question](question) say, if they come from a server that can know.
    fn check(address: &str, host: &str, answers: Vec<Value>) -> Result<Self, Failure> {
        let mut answers = answers.into_iter();
        let slots = answers.next().ok_or_else(|| Failure::cut_short(address))?;
        let mut next = || {
            let text = answers.next().and_then(|text| bytes(text).ok().flatten());
            text.map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        let (Some(info), Some(nodes)) = (next(), next()) else {
            return Err(Failure::cut_short(address));
        };
        if !info.contains("cluster_state:ok") {
            let why = "it is not in touch with most of the Cluster, or slots are served by nobody";
            return Err(Failure::unavailable(format!("{address}: {why}")));
        }
        let mut topology = Self::parse(slots, host).map_err(|_| Failure::cut_short(address))?;
        topology.add_primaries_without_slots(&nodes, host);
        Ok(topology)
    }

    /// Of what `CLUSTER NODES` gives, takes the primaries that have no slot. One that has failed is written
    /// to no more; one that has a slot, too, is in `CLUSTER SLOTS`.
    fn add_primaries_without_slots(&mut self, nodes: &str, asked: &str) {
        let nodes: Vec<Listed> = nodes.lines().filter_map(Listed::parse).collect();
        let by_name = |shard: &Shard| nodes.iter().any(|node| node.name == Some(&*shard.primary.0));
        let by_name = self.shards.iter().any(by_name);
        let empty = nodes.iter().filter(|node| node.is_empty_primary).map(|node| {
            let host = node.name.filter(|_| by_name).unwrap_or(node.ip);
            (if host.is_empty() { asked } else { host }.to_owned(), node.port)
        });
        self.primaries.extend(empty);
        self.primaries.sort_unstable();
    }

    /// What `CLUSTER SLOTS` gives. A server that does not know its own name means the one it was asked by.
    fn parse(answer: Value, asked: &str) -> pstate_core::Result<Self> {
        let mut shards: Vec<Shard> = Vec::new();
        let mut slots = vec![None; usize::from(SLOTS)];
        for range in items(answer)? {
            let mut parts = items(range)?.into_iter();
            let mut bound = || {
                let number = parts.next().map(|part| integer(&part)).transpose()?.unwrap_or(-1);
                Ok::<_, pstate_core::Error>(usize::try_from(number).unwrap_or(usize::MAX))
            };
            let (first, last) = (bound()?, bound()?);
            let places = parts.map(|part| {
                let mut parts = items(part)?.into_iter();
                let host = parts.next().map(bytes).transpose()?.flatten().unwrap_or_default();
                let host = String::from_utf8_lossy(&host).into_owned();
                let port = parts.next().map(|port| integer(&port)).transpose()?.unwrap_or_default();
                let unknown = host.is_empty() || host == "?";
                let host = if unknown { asked.to_owned() } else { host };
                Ok((host, u16::try_from(port).unwrap_or_default()))
            });
            let mut places = places.collect::<pstate_core::Result<Vec<_>>>()?.into_iter();
            let Some(primary) = places.next() else { continue };
            let known = shards.iter().position(|shard| shard.primary == primary);
            let number = known.unwrap_or(shards.len());
            if known.is_none() {
                shards.push(Shard { primary, replicas: places.collect() });
            }
            for slot in slots.iter_mut().take(last.saturating_add(1)).skip(first) {
                *slot = u16::try_from(number).ok();
            }
        }
        let primaries = shards.iter().map(|shard| shard.primary.clone()).collect();
        Ok(Self { shards, primaries, slots, asked: Instant::now() })
    }
}

/// A line of what `CLUSTER NODES` gives: `id ip:port@bus[,name] flags … link-state slot …`.
struct Listed<'a> {
    ip: &'a str,
    port: u16,
    name: Option<&'a str>,
    is_empty_primary: bool,
}

impl<'a> Listed<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (place, flags) = (words.nth(1)?, words.next()?);
        // A slot that is on its way stands in brackets.
        let has_slots = words.skip(5).any(|slot| !slot.starts_with('['));
        let has = |flag| flags.split(',').any(|found| found == flag);
        let mut place = place.split(',');
        let (ip, port) = place.next()?.split('@').next()?.rsplit_once(':')?;
        Some(Self {
            ip,
            port: port.parse().ok()?,
            // What else may follow is no name: `shard-id=…`.
            name: place.next().filter(|name| !name.is_empty() && !name.contains('=')),
            is_empty_primary: has("master") && !has_slots && !has("fail") && !has("noaddr"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_without_slots_are_told_from_all_others() {
        let empty = |line| Listed::parse(line).is_some_and(|node| node.is_empty_primary);
        assert!(empty("a 127.0.0.1:1@2 master - 0 0 1 connected"));
        assert!(empty("a 127.0.0.1:1@2 myself,master - 0 0 1 connected [7-<-b]"));
        assert!(empty("a 127.0.0.1:1@2 master,fail? - 0 0 1 connected"));
        assert!(!empty("a 127.0.0.1:1@2 master,fail - 0 0 1 disconnected"));
        assert!(!empty("a 127.0.0.1:1@2 master - 0 0 1 connected 0-99 [7->-b]"));
        assert!(!empty("a 127.0.0.1:1@2 slave b 0 0 1 connected"));
        assert!(!empty("a 127.0.0.1:1@2 handshake - 0 0 1 connected"));
        let node =
            Listed::parse("a ::1:6379@16379,redis.internal,shard-id=x master - 0 0 1 connected");
        let node = node.expect("a node");
        assert_eq!((node.ip, node.port, node.name), ("::1", 6379, Some("redis.internal")));
    }
}
