//! Reading records by key.

use pstate_core::{Key, Record, Result, Space};

use crate::config::Placement;
use crate::error::{Effect, unexpected};
use crate::layout::record;
use crate::server::{Unit, bytes, items, only};
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
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        if self.servers.is_cluster() && self.layout.placement == Placement::PerKey {
            return self.find_by_slot(space, keys, from).await;
        }
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
        Ok(values.into_iter().map(|value| Ok(bytes(value)?.map(record))).collect())
    }

    /// Reads records that lie in different slots: one call to each server.
    async fn find_by_slot(
        &self,
        space: &Space,
        keys: &[Key],
        from: ReadFrom,
    ) -> Result<Vec<Lookup>> {
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
        for answer in answers {
            found.push(match answer {
                Ok(values) => only(values).and_then(bytes).map(|value| value.map(record)),
                // The others can be read.
                Err(failure) if failure.is("WRONGTYPE") => Err(failure.into_error(Effect::Read)),
                Err(failure) => return Err(failure.into_error(Effect::Read)),
            });
        }
        Ok(found)
    }
}
