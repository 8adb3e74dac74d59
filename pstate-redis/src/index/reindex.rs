//! Rebuilding the index from the records.

use std::collections::BTreeMap;

use pstate_core::{Key, Result, Space};

use crate::config::Placement;
use crate::error::{Effect, Failure, unexpected};
use crate::server::{Form, Unit, bytes, call_one, integer, items, only, texts};
use crate::store::Store;

/// How many keys a server visits in one step.
const KEYS_PER_STEP: usize = 500;

impl Store {
    pub(crate) async fn reindex(&self) -> Result<u64> {
        self.check_open()?;
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        let mut records = 0;
        for place in self.servers.primaries().await.map_err(failed)? {
            let mut cursor = b"0".to_vec();
            loop {
                let mut command = redis::cmd("SCAN");
                command.arg(&cursor).arg("MATCH").arg(format!("{}*", self.layout.record_prefix()));
                command.arg("COUNT").arg(KEYS_PER_STEP);
                let answers = self.servers.send_at(&place, vec![command]).await.map_err(failed)?;
                let mut answer = items(only(answers)?)?.into_iter();
                let (Some(next), Some(names)) = (answer.next(), answer.next()) else {
                    return Err(unexpected("part of a scan"));
                };
                records += self.add_all(&texts(names)?).await?;
                cursor = bytes(next)?.unwrap_or_default();
                if cursor == b"0" || cursor.is_empty() {
                    break;
                }
            }
        }
        Ok(records)
    }

    /// Adds the records among these keys.
    async fn add_all(&self, names: &[Vec<u8>]) -> Result<u64> {
        let mut places: BTreeMap<Space, BTreeMap<String, Vec<Key>>> = BTreeMap::new();
        for (space, key) in names.iter().filter_map(|name| self.layout.parse_record(name)) {
            let types = places.entry(space).or_default();
            types.entry(key.entity_type().to_owned()).or_default().push(key);
        }
        let failed = |failure: Failure| failure.into_error(Effect::Write);
        let mut added = 0;
        for (space, types) in places {
            for (entity_type, keys) in types {
                added += match self.layout.placement {
                    Placement::PerSpace => self.add_in_space(&space, &entity_type, &keys).await?,
                    Placement::PerKey => {
                        let ids = keys.iter().enumerate().map(|(n, key)| (n, true, key.id()));
                        let additions = BTreeMap::from([(&*entity_type, ids.collect())]);
                        for (_, done) in self.add_to_index(&space, &additions).await {
                            done.map_err(failed)?;
                        }
                        keys.len() as u64
                    }
                };
                let (servers, layout) = (&self.servers, &self.layout);
                self.registry
                    .enter(servers, layout, &space, &[&entity_type])
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(added)
    }

    async fn add_in_space(&self, space: &Space, entity_type: &str, keys: &[Key]) -> Result<u64> {
        let types = self.layout.types(space);
        let unit = |form: Form| {
            let mut call = self.scripts.add_in_space.call(form, 2 + keys.len());
            call.arg(&types).arg(self.layout.index(space, entity_type));
            for key in keys {
                call.arg(self.layout.record(space, key));
            }
            call.arg(entity_type);
            for key in keys {
                call.arg(key.id());
            }
            Unit::new(&types, vec![call])
        };
        let answer = call_one(&self.servers, Effect::Write, unit).await;
        let there = only(answer.map_err(|failure| failure.into_error(Effect::Write))?)?;
        Ok(u64::try_from(integer(&there)?).unwrap_or_default())
    }
}
