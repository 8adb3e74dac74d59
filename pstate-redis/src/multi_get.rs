//! Reading records by key.

use pstate_core::{Error, Key, Record, Result, Space};

use crate::config::Placement;
use crate::error::{Effect, Failure, unexpected};
use crate::layout::record;
use crate::server::{Answers, Unit, bytes, items, only};
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
        if let [first, _, ..] = keys
            && !(self.servers.is_cluster() && self.layout.placement == Placement::PerKey)
        {
            self.find_together(space, first, keys, from).await
        } else {
            self.find_each(space, keys, from).await
        }
    }

    /// Reads several records of one server in one command.
    async fn find_together(
        &self,
        space: &Space,
        first: &Key,
        keys: &[Key],
        from: ReadFrom,
    ) -> Result<Vec<Lookup>> {
        let mut names = self.layout.records(space);
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(names.name(key));
        }
        let mut unit = Unit::new(names.name(first), vec![command]);
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
    async fn find_each(&self, space: &Space, keys: &[Key], from: ReadFrom) -> Result<Vec<Lookup>> {
        let mut names = self.layout.records(space);
        let unit = |key: &Key| {
            let name = names.name(key);
            let mut command = redis::cmd("GET");
            command.arg(name);
            let mut unit = Unit::new(name, vec![command]);
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
