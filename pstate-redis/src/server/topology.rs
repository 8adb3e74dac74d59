//! Which server of a Cluster has which slot.

use pstate_core::{Error, Result};
use redis::{Cmd, Value};
use tokio::time::Instant;

use super::answer::{bytes, integer, items};
use crate::error::Failure;
use crate::layout::{SLOTS, Slot};

/// Which server has which slot, as one server has said.
#[derive(Debug)]
pub(super) struct Topology {
    shards: Vec<Shard>,
    /// All servers that may be written to, in order. A primary without a slot is among them,
    /// because it may be taking one over.
    pub(super) primaries: Vec<(String, u16)>,
    /// For each slot the number of its shard.
    slots: Vec<Option<u16>>,
    pub(super) asked: Instant,
}

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) primary: (String, u16),
    pub(super) replicas: Vec<(String, u16)>,
}

/// The commands that ask a server about the Cluster.
pub(super) fn question() -> Vec<Cmd> {
    ["SLOTS", "INFO", "NODES"]
        .map(|about| {
            let mut command = redis::cmd("CLUSTER");
            command.arg(about);
            command
        })
        .into()
}

/// Checks that a server takes exactly the `followed` ones for primaries, and can know it.
pub(super) fn check_followed(
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

impl Topology {
    /// All replicas.
    pub(super) fn replicas(&self) -> impl Iterator<Item = (String, u16)> {
        self.shards.iter().flat_map(|shard| shard.replicas.iter().cloned())
    }

    /// The servers that have a slot.
    pub(super) fn shard(&self, slot: Slot) -> Option<&Shard> {
        let shard = self.slots.get(usize::from(slot)).copied().flatten()?;
        self.shards.get(usize::from(shard))
    }

    /// Reads the answers to the [`question`]. Fails if the server cannot know.
    pub(super) fn check(address: &str, host: &str, answers: Vec<Value>) -> Result<Self, Failure> {
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
            let why = "it is not in touch with most of the Cluster, or slots have no server";
            return Err(Failure::unavailable(format!("{address}: {why}")));
        }
        let mut topology = Self::parse(slots, host).map_err(|_| Failure::cut_short(address))?;
        topology.add_primaries_without_slots(&nodes, host);
        Ok(topology)
    }

    /// Takes the primaries without a slot from the answer to `CLUSTER NODES`. A failed one gets no
    /// more writes, and `CLUSTER SLOTS` lists those with a slot.
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

    /// Reads the answer to `CLUSTER SLOTS`. A server that does not know its own name means the name
    /// that it was `asked` by.
    fn parse(answer: Value, asked: &str) -> Result<Self> {
        let mut shards: Vec<Shard> = Vec::new();
        let mut slots = vec![None; usize::from(SLOTS)];
        for range in items(answer)? {
            let mut parts = items(range)?.into_iter();
            let mut bound = || {
                let number = parts.next().map(|part| integer(&part)).transpose()?.unwrap_or(-1);
                Ok::<_, Error>(usize::try_from(number).unwrap_or(usize::MAX))
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
            let mut places = places.collect::<Result<Vec<_>>>()?.into_iter();
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

/// A line of the answer to `CLUSTER NODES`: `id ip:port@bus[,name] flags … link-state slot …`.
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
        // A slot that is moving stands in brackets.
        let has_slots = words.skip(5).any(|slot| !slot.starts_with('['));
        let has = |flag| flags.split(',').any(|found| found == flag);
        let mut place = place.split(',');
        let (ip, port) = place.next()?.split('@').next()?.rsplit_once(':')?;
        Some(Self {
            ip,
            port: port.parse().ok()?,
            // Other parts may follow that are no name: `shard-id=…`.
            name: place.next().filter(|name| !name.is_empty() && !name.contains('=')),
            is_empty_primary: has("master") && !has_slots && !has("fail") && !has("noaddr"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_without_slots_are_recognised() {
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
