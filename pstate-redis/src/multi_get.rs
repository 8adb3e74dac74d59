//! Reading records by key.

use pstate_core::{Error, ErrorKind, Key, Record, Result, Space};

use crate::answer::{bytes, items, only};
use crate::config::Placement;
use crate::error::{Effect, unexpected};
use crate::servers::Unit;
use crate::store::Store;
use crate::value::record;

/// A record, or nothing, or why it cannot be read.
pub(crate) type Found = Result<Option<Record>>;

/// Who may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Who knows what is stored.
    Primaries,
    /// Replicas, too, if that is allowed, except for what was written here lately.
    Replicas,
}

impl Store {
    pub(crate) async fn multi_get(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>> {
        self.check_open()?;
        let most = crate::backend::MAX_BATCH;
        if keys.len() > most {
            let why = format!("{} keys, at most {most} are read at once", keys.len());
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let found = self.find(space, keys, Ask::Replicas).await?;
        let located = |(found, key): (Found, &Key)| found.map_err(|error| error.at_key(key));
        found.into_iter().zip(keys).map(located).collect()
    }

    /// Reads records, each for itself where one may fail alone.
    pub(crate) async fn find(&self, space: &Space, keys: &[Key], ask: Ask) -> Result<Vec<Found>> {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        if self.servers.is_cluster() && self.layout.placement == Placement::PerKey {
            return self.find_apart(space, keys, ask).await;
        }
        let mut names = self.layout.records(space);
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(names.name(key));
        }
        let mut unit = Unit::new(names.name(first), vec![command]);
        unit.from_replica = ask == Ask::Replicas && self.own_writes.allow_replica(space, keys);
        let answers = self.read(unit).await?;
        let values = items(only(answers)?)?;
        if values.len() != keys.len() {
            return Err(unexpected("list of as many values as keys"));
        }
        Ok(values.into_iter().map(|value| Ok(bytes(value)?.map(record))).collect())
    }

    /// Reads records that lie in different slots: one question to each server.
    async fn find_apart(&self, space: &Space, keys: &[Key], ask: Ask) -> Result<Vec<Found>> {
        let mut names = self.layout.records(space);
        let unit = |key: &Key| {
            let name = names.name(key);
            let mut command = redis::cmd("GET");
            command.arg(name);
            let mut unit = Unit::new(name, vec![command]);
            unit.from_replica = ask == Ask::Replicas
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
