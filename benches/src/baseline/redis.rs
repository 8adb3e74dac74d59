//! The crate redis alone.
//!
//! One multiplexed connection, `MGET` for several keys, one `MGET` for each level of a graph. A
//! sorted set for each type finds keys by their beginning; one transaction writes it with the
//! texts: `MULTI`, `MSET`, `ZADD`, `EXEC`, sent at once. Conditional writes are one script.

use pstate::{Key, KeyRef};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, Pipeline, ProtocolVersion, Value as Reply};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::Result;
use crate::documents::plain::{Card, Record};

use super::contract::{Baseline, Depth, Replacement};
use super::graph::Graph;
use super::shape::{GraphOf, Shape, Structs, Trees, migrate};

/// Stores texts where the old ones are still there; returns how many those are.
const REPLACE: &str = r"
local replaced = 0
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[2 * i - 1] then
    redis.call('SET', key, ARGV[2 * i])
    replaced = replaced + 1
  end
end
return replaced
";

/// How many documents one command stores: the server serves no one else meanwhile.
const LOADED_AT_ONCE: usize = 1_000;

/// A connection to the server that PState uses, with keys that PState does not use.
#[derive(Debug, Clone)]
pub struct Redis {
    connection: MultiplexedConnection,
    /// The digest by which the server knows [`REPLACE`].
    replace: String,
}

/// Connects with RESP3.
pub(crate) async fn connect(url: &str) -> Result<MultiplexedConnection> {
    let client = Client::open(url)?;
    let settings = client.get_connection_info().redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    let info = client.get_connection_info().clone().set_redis_settings(settings);
    Ok(Client::open(info)?.get_multiplexed_async_connection().await?)
}

impl Redis {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let mut connection = connect(url).await?;
        let mut load = redis::cmd("SCRIPT");
        let replace = load.arg("LOAD").arg(REPLACE).query_async(&mut connection).await?;
        Ok(Self { connection, replace })
    }

    /// The documents under keys, in their order.
    async fn read<T: DeserializeOwned>(&mut self, keys: &[&str]) -> Result<Vec<Option<T>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        // Not as strings: that would copy each text.
        let texts: Vec<Reply> = self.connection.mget(keys).await?;
        texts.iter().map(parse).collect()
    }

    /// The same without the missing ones.
    async fn level<T: DeserializeOwned>(&mut self, keys: &[&str]) -> Result<Vec<T>> {
        Ok(self.read(keys).await?.into_iter().flatten().collect())
    }

    async fn graph_of<S: Shape>(&mut self, key: &Key, depth: Depth) -> Result<GraphOf<S>> {
        let deck: Reply = self.connection.get(key.as_str()).await?;
        let deck: S::Deck = parse(&deck)?.ok_or("no deck")?;
        let keys: Vec<&str> = S::cards(&deck).collect();
        let cards: Vec<S::Card> = self.level(&keys).await?;
        let mut translations = match depth {
            Depth::Cards => Vec::new(),
            Depth::Translations => {
                let keys: Vec<&str> = cards.iter().flat_map(|card| S::translations(card)).collect();
                self.level(&keys).await?
            }
        }
        .into_iter();
        let cards = cards.into_iter().map(|card| {
            let own = match depth {
                Depth::Cards => Vec::new(),
                Depth::Translations => {
                    translations.by_ref().take(S::translations(&card).count()).collect()
                }
            };
            (card, own)
        });
        let cards = cards.collect();
        Ok(Graph { deck, cards })
    }

    async fn write<T: Serialize>(&mut self, documents: &[(&Key, &T)]) -> Result<()> {
        let mut texts = Vec::with_capacity(documents.len());
        for (key, document) in documents {
            texts.push((key.as_str(), serde_json::to_vec(document)?));
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.mset(&texts).ignore();
        add_to_indexes(&mut pipeline, documents.iter().map(|(key, _)| *key));
        Ok(pipeline.query_async(&mut self.connection).await?)
    }

    /// Stores texts where the old ones are still there.
    async fn replace_texts(&mut self, replacements: &[Replacement<String>]) -> Result<()> {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.replace).arg(replacements.len());
        for replacement in replacements {
            call.arg(replacement.key.as_str());
        }
        for Replacement { old, new, .. } in replacements {
            call.arg(old).arg(new);
        }
        let replaced: usize = call.query_async(&mut self.connection).await?;
        match replacements.len() - replaced {
            0 => Ok(()),
            others => Err(format!("{others} documents have changed since they were read").into()),
        }
    }
}

/// The document that a reply holds; `None` if there is none.
fn parse<T: DeserializeOwned>(reply: &Reply) -> Result<Option<T>> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::BulkString(text) => Ok(Some(serde_json::from_slice(text)?)),
        other => Err(format!("{other:?} is no document").into()),
    }
}

/// Adds keys to the sorted set of each type.
fn add_to_indexes<'a>(pipeline: &mut Pipeline, keys: impl Iterator<Item = &'a Key>) {
    let mut types: Vec<(&str, Vec<(u8, &str)>)> = Vec::new();
    for key in keys {
        match types.iter_mut().find(|(name, _)| *name == key.entity_type()) {
            Some((_, ids)) => ids.push((0, key.id())),
            None => types.push((key.entity_type(), vec![(0, key.id())])),
        }
    }
    for (entity_type, ids) in types {
        pipeline.zadd_multiple(index(entity_type), &ids).ignore();
    }
}

fn index(entity_type: &str) -> String {
    format!("by-hand/keys:{entity_type}")
}

impl Baseline for Redis {
    type Card = Card;
    type Graph = Graph;
    type Stored = String;

    async fn get(&mut self, key: &Key) -> Result<Option<Card>> {
        let text: Reply = self.connection.get(key.as_str()).await?;
        parse(&text)
    }

    async fn multi_get(&mut self, keys: &[Key]) -> Result<Vec<Option<Card>>> {
        let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
        self.read(&keys).await
    }

    async fn graph(&mut self, key: &Key, depth: Depth) -> Result<Graph> {
        self.graph_of::<Structs>(key, depth).await
    }

    async fn tree(&mut self, key: &Key) -> Result<Value> {
        Ok(self.graph_of::<Trees>(key, Depth::Translations).await?.into_tree())
    }

    async fn scan(&mut self, prefix: &str) -> Result<Vec<(String, Card)>> {
        let beginning = KeyRef::parse(prefix)?;
        let (least, most) = (format!("[{}", beginning.id()), format!("[{}\u{ff}", beginning.id()));
        let index = index(beginning.entity_type());
        let ids: Vec<String> = self.connection.zrangebylex(index, least, most).await?;
        let keys: Vec<String> =
            ids.iter().map(|id| format!("{}:{id}", beginning.entity_type())).collect();
        let found = self.read(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(keys.into_iter().zip(found).filter_map(|(key, card)| Some((key, card?))).collect())
    }

    async fn put(&mut self, key: &Key, card: &Card) -> Result<()> {
        self.write(&[(key, card)]).await
    }

    async fn multi_put(&mut self, cards: &[(Key, Card)]) -> Result<()> {
        let cards: Vec<_> = cards.iter().map(|(key, card)| (key, card)).collect();
        self.write(&cards).await
    }

    async fn update(&mut self, key: &Key, rank: u64) -> Result<()> {
        let old: String = self.connection.get(key.as_str()).await?;
        let mut card: Card = serde_json::from_str(&old)?;
        card.rank = rank;
        let new = serde_json::to_string(&card)?;
        self.replace_texts(&[Replacement { key: key.clone(), old, new }]).await
    }

    async fn load(&mut self, records: &[Record]) -> Result<()> {
        for records in records.chunks(LOADED_AT_ONCE) {
            let records: Vec<_> =
                records.iter().map(|Record { key, document, .. }| (key, document)).collect();
            self.write(&records).await?;
        }
        Ok(())
    }

    async fn migrate(&mut self, keys: &[Key]) -> Result<Vec<Replacement<String>>> {
        let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
        let found: Vec<String> = self.connection.mget(&names).await?;
        let migrated = keys.iter().zip(found).map(|(key, old)| {
            let new = migrate(&old)?;
            Ok(Replacement { key: key.clone(), old, new })
        });
        migrated.collect()
    }

    async fn replace(&mut self, replacements: Vec<Replacement<String>>) -> Result<()> {
        self.replace_texts(&replacements).await
    }

    async fn touch(&mut self, keys: &[Key]) -> Result<()> {
        let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
        self.read::<IgnoredAny>(&names).await.map(drop)
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for key in keys {
            pipeline.del(key.as_str()).ignore();
            pipeline.zrem(index(key.entity_type()), key.id()).ignore();
        }
        Ok(pipeline.query_async(&mut self.connection).await?)
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
