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
        let found = self.find(space, keys).await?;
        let located = |(found, key): (Found, &Key)| found.map_err(|error| error.at_key(key));
        found.into_iter().zip(keys).map(located).collect()
    }

    /// Reads records, each for itself where one may fail alone.
    pub(crate) async fn find(&self, space: &Space, keys: &[Key]) -> Result<Vec<Found>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = keys.iter().map(|key| self.layout.record(space, key)).collect();
        if self.servers.is_cluster() && self.layout.placement == Placement::PerKey {
            return self.find_apart(&names).await;
        }
        let mut command = redis::cmd("MGET");
        command.arg(&names);
        let answers = self.read(Unit::new(&names[0], vec![command])).await?;
        let values = items(only(answers)?)?;
        if values.len() != names.len() {
            return Err(unexpected("list of as many values as keys"));
        }
        Ok(values.into_iter().map(|value| Ok(bytes(value)?.map(record))).collect())
    }

    /// Reads records that lie in different slots: one question to each server.
    async fn find_apart(&self, names: &[String]) -> Result<Vec<Found>> {
        let unit = |name: &String| {
            let mut command = redis::cmd("GET");
            command.arg(name);
            Unit::new(name, vec![command])
        };
        let answers = self.servers.send(names.iter().map(unit).collect(), Effect::Read).await;
        let mut found = Vec::with_capacity(names.len());
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
