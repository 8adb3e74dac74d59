//! The crate redis alone.
//!
//! One multiplexed connection, `MGET` for several keys, one `MGET` for each level of a graph. A
//! sorted set for each type finds keys by their beginning; one transaction writes it with the
//! texts: `MULTI`, `MSET`, `ZADD`, `EXEC`, sent at once. Conditional writes are one script.

use pstate::{Key, KeyRef};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, Pipeline, ProtocolVersion};
use serde_json::Value;

use crate::Result;

use super::contract::{Baseline, DeepDeck, Replacement};
use super::graph::references;
use super::parse::{Parse, parse};

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

    async fn read<T>(&mut self, names: &[String], parse: Parse<T>) -> Result<Vec<Option<T>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<Option<String>> = self.connection.mget(names).await?;
        texts.into_iter().map(|text| text.map(|text| parse(&text)).transpose()).collect()
    }

    /// The documents under keys, in their order, without the missing ones.
    async fn level<'a, T>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        parse: Parse<T>,
    ) -> Result<Vec<T>> {
        let names: Vec<String> = keys.map(named).collect();
        Ok(self.read(&names, parse).await?.into_iter().flatten().collect())
    }

    async fn write(&mut self, texts: &[(&Key, impl AsRef<str>)]) -> Result<()> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        let named: Vec<_> =
            texts.iter().map(|(key, text)| (named(key.as_str()), text.as_ref())).collect();
        pipeline.mset(&named).ignore();
        add_to_indexes(&mut pipeline, texts.iter().map(|(key, _)| *key));
        Ok(pipeline.query_async(&mut self.connection).await?)
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

fn named(key: &str) -> String {
    format!("by-hand:{key}")
}

fn index(entity_type: &str) -> String {
    format!("by-hand/keys:{entity_type}")
}

impl Baseline for Redis {
    async fn get<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<Option<T>> {
        let text: Option<String> = self.connection.get(named(key.as_str())).await?;
        text.map(|text| parse(&text)).transpose()
    }

    async fn multi_get<T: Send>(
        &mut self,
        keys: &[Key],
        parse: Parse<T>,
    ) -> Result<Vec<Option<T>>> {
        let names: Vec<String> = keys.iter().map(|key| named(key.as_str())).collect();
        self.read(&names, parse).await
    }

    async fn deck<T: Send>(&mut self, key: &Key, keep: Parse<T>) -> Result<(Value, Vec<T>)> {
        let deck = self.get(key, parse::<Value>).await?.ok_or("no deck")?;
        let cards = self.level(references(&deck, "cards"), keep).await?;
        Ok((deck, cards))
    }

    async fn deep_deck<T: Send>(&mut self, key: &Key, keep: Parse<T>) -> Result<DeepDeck<T>> {
        let deck = self.get(key, parse::<Value>).await?.ok_or("no deck")?;
        let cards = self.level(references(&deck, "cards"), parse::<Value>).await?;
        let of_each = cards.iter().flat_map(|card| references(card, "translations"));
        let mut translations = self.level(of_each, keep).await?.into_iter();
        let cards = cards.into_iter().map(|card| {
            let count = references(&card, "translations").count();
            let own = translations.by_ref().take(count).collect();
            (card, own)
        });
        Ok((deck, cards.collect()))
    }

    async fn scan<T: Send>(&mut self, prefix: &str, parse: Parse<T>) -> Result<Vec<(String, T)>> {
        let beginning = KeyRef::parse(prefix)?;
        let (least, most) = (format!("[{}", beginning.id()), format!("[{}\u{ff}", beginning.id()));
        let index = index(beginning.entity_type());
        let ids: Vec<String> = self.connection.zrangebylex(index, least, most).await?;
        let keys: Vec<String> =
            ids.iter().map(|id| format!("{}:{id}", beginning.entity_type())).collect();
        let names: Vec<String> = keys.iter().map(|key| named(key)).collect();
        let found = self.read(&names, parse).await?;
        Ok(keys.into_iter().zip(found).filter_map(|(key, text)| Some((key, text?))).collect())
    }

    async fn put(&mut self, key: &Key, document: &Value) -> Result<()> {
        self.write(&[(key, serde_json::to_string(document)?)]).await
    }

    async fn multi_put(&mut self, documents: &[(Key, Value)]) -> Result<()> {
        let mut texts = Vec::with_capacity(documents.len());
        for (key, document) in documents {
            texts.push((key, serde_json::to_string(document)?));
        }
        self.write(&texts).await
    }

    async fn replace(&mut self, replacements: &[Replacement]) -> Result<()> {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.replace).arg(replacements.len());
        for replacement in replacements {
            call.arg(named(replacement.key.as_str()));
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

    async fn load(&mut self, texts: &[(Key, String)]) -> Result<()> {
        for texts in texts.chunks(1_000) {
            let texts: Vec<(&Key, &str)> =
                texts.iter().map(|(key, text)| (key, text.as_str())).collect();
            self.write(&texts).await?;
        }
        Ok(())
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for key in keys {
            pipeline.del(named(key.as_str())).ignore();
            pipeline.zrem(index(key.entity_type()), key.id()).ignore();
        }
        Ok(pipeline.query_async(&mut self.connection).await?)
    }

    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }
}
