//! Reading records by key.

use pstate_core::{Error, Key, Record, Result, Space};

use crate::config::Placement;
use crate::error::{Effect, Failure, unexpected};
use crate::layout::record;
use crate::server::{Answers, Lane, Unit, bytes, integer, items, only};
use crate::store::Store;

/// A record, or nothing, or why it cannot be read.
pub(crate) type Lookup = Result<Option<Record>>;

/// Which servers may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFrom {
    /// Those that know what is stored.
    Primaries,
    /// Replicas, too, if the configuration allows it, except for recent writes of this adapter.
    Replicas,
}

impl Store {
    pub(crate) async fn multi_get(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>> {
        self.check_open()?;
        self.capabilities.check_keys(keys)?;
        let found = self.find(space, keys, ReadFrom::Replicas).await?;
        let located = |(found, key): (Lookup, &Key)| found.map_err(|error| error.at_key(key));
        found.into_iter().zip(keys).map(located).collect()
    }

    /// Reads records. One that cannot be read fails alone, unless the read is a snapshot.
    pub(crate) async fn find(
        &self,
        space: &Space,
        keys: &[Key],
        from: ReadFrom,
    ) -> Result<Vec<Lookup>> {
        let lane = Lane::of_read(self.expected_bytes(space, keys).await?);
        let found = if let [first, _, ..] = keys
            && !(self.servers.is_cluster() && self.layout.placement == Placement::PerKey)
        {
            self.find_together(space, first, keys, from, lane).await?
        } else {
            self.find_each(space, keys, from, lane).await?
        };
        let lengths = keys.iter().zip(&found).filter_map(|(key, found)| match found {
            Ok(Some(record)) => Some((key, record.bytes.len())),
            _ => None,
        });
        self.sizes.note(lengths);
        Ok(found)
    }

    /// How many bytes a read of these records is expected to have. Asks for their lengths, if there
    /// are several and nothing is known of their types.
    pub(crate) async fn expected_bytes(&self, space: &Space, keys: &[Key]) -> Result<usize> {
        if let Some(bytes) = self.sizes.expect(keys) {
            return Ok(bytes);
        }
        if keys.len() < 2 {
            return Ok(0);
        }
        let mut names = self.layout.records(space);
        let unit = |key: &Key| {
            let name = names.name(key);
            let mut command = redis::cmd("STRLEN");
            command.arg(name);
            Unit::new(name, vec![command])
        };
        let units = keys.iter().map(unit).collect();
        let answers = self.servers.send(units, Effect::Read).await;
        let mut lengths = Vec::with_capacity(keys.len());
        for answer in answers {
            lengths.push(match answer {
                Ok(values) => usize::try_from(integer(&only(values)?)?).unwrap_or_default(),
                // The read reports it.
                Err(failure) if failure.is("WRONGTYPE") => 0,
                Err(failure) => return Err(failure.into_error(Effect::Read)),
            });
        }
        let stored = keys.iter().zip(&lengths).filter(|(_, len)| **len > 0);
        self.sizes.note(stored.map(|(key, len)| (key, *len)));
        Ok(lengths.iter().sum())
    }

    /// Reads several records of one server in one command.
    async fn find_together(
        &self,
        space: &Space,
        first: &Key,
        keys: &[Key],
        from: ReadFrom,
        lane: Lane,
    ) -> Result<Vec<Lookup>> {
        let mut names = self.layout.records(space);
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(names.name(key));
        }
        let mut unit = Unit::new(names.name(first), vec![command]).on(lane);
        unit.from_replica =
            from == ReadFrom::Replicas && self.own_writes.allow_replica(space, keys);
        let answers = self.read(unit).await?;
        let values = items(only(answers)?)?;
        if values.len() != keys.len() {
            return Err(unexpected("list of as many values as keys"));
        }
        let record = |value| Ok::<_, Error>(bytes(value)?.map(record));
        let found: Vec<Option<Record>> = values.into_iter().map(record).collect::<Result<_>>()?;
        // `MGET` has nothing for a key of another type, too.
        let without = |(found, key): (&Option<Record>, _)| found.is_none().then_some(key);
        let missing: Vec<&Key> = found.iter().zip(keys).filter_map(without).collect();
        let mut others = self.other_types(space, &missing).await?.into_iter();
        let lookup = |found: Option<Record>| match found {
            Some(record) => Ok(Some(record)),
            None => others.next().unwrap_or(Ok(None)),
        };
        Ok(found.into_iter().map(lookup).collect())
    }

    /// Reads records with a command for each: one call to each server.
    async fn find_each(
        &self,
        space: &Space,
        keys: &[Key],
        from: ReadFrom,
        lane: Lane,
    ) -> Result<Vec<Lookup>> {
        let mut names = self.layout.records(space);
        let unit = |key: &Key| {
            let name = names.name(key);
            let mut command = redis::cmd("GET");
            command.arg(name);
            let mut unit = Unit::new(name, vec![command]).on(lane);
            unit.from_replica = from == ReadFrom::Replicas
                && self.own_writes.allow_replica(space, std::slice::from_ref(key));
            unit
        };
        let units = keys.iter().map(unit).collect();
        let answers = self.servers.send(units, Effect::Read).await;
        let mut found = Vec::with_capacity(keys.len());
        let mut others = Vec::new();
        for (n, answer) in answers.into_iter().enumerate() {
            found.push(match answer {
                Ok(values) => only(values).and_then(bytes).map(|value| value.map(record)),
                Err(failure) if failure.is("WRONGTYPE") => {
                    others.push(n);
                    Ok(None)
                }
                Err(failure) => return Err(failure.into_error(Effect::Read)),
            });
        }
        let keys: Vec<&Key> = others.iter().map(|&n| &keys[n]).collect();
        let why = self.other_types(space, &keys).await?;
        for (n, lookup) in others.into_iter().zip(why) {
            found[n] = lookup;
        }
        Ok(found)
    }

    /// Why there is no record under these keys: there is nothing, or something of another type that
    /// another program has stored.
    async fn other_types(&self, space: &Space, keys: &[&Key]) -> Result<Vec<Lookup>> {
        let unit = |key: &&Key| {
            let name = self.layout.record(space, key);
            let mut command = redis::cmd("TYPE");
            command.arg(&name);
            Unit::new(&name, vec![command])
        };
        let units = keys.iter().map(unit).collect();
        let answers = self.servers.send(units, Effect::Read).await;
        let lookup = |(key, answer): (&&Key, Answers)| {
            let answer = answer.map_err(|failure| failure.into_error(Effect::Read))?;
            Ok(match bytes(only(answer)?)?.as_deref() {
                // A string was written since.
                Some(b"none" | b"string") | None => Ok(None),
                Some(other) => {
                    let failure = Failure::corrupt(key, &String::from_utf8_lossy(other));
                    Err(failure.into_error(Effect::Read))
                }
            })
        };
        keys.iter().zip(answers).map(lookup).collect()
    }
}
