//! Rebuilding the lists and indexes from the records.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};

use pstate_core::{Error, Key, Result, Space};

use crate::config::Placement;
use crate::error::{Effect, Failure};
use crate::layout::{TYPES_MARK, spaces_mark};
use crate::server::{Form, Script, Unit, call_all, call_one, integer, only};
use crate::store::{START, Store};

/// How often a walk reads all names at most. Places that it has met last are listed and not marked.
const PASSES: usize = 3;

/// Types of records by their space.
type Places = BTreeMap<Space, BTreeSet<String>>;

impl Store {
    pub(crate) async fn reindex(&self) -> Result<u64> {
        self.check_open()?;
        self.walk(Places::new()).await
    }

    /// Rebuilds everything, because `lost` was lost, unless another call has rebuilt since there
    /// were `seen` rebuilds. Afterwards the list of the place counts as complete, whether there are
    /// records or not.
    pub(super) async fn rebuild(
        &self,
        seen: u64,
        lost: &str,
        place: Option<(&Space, Option<&str>)>,
    ) -> Result<()> {
        let Some(rebuild) = self.rebuilds.begin(seen).await else { return Ok(()) };
        tracing::warn!("{lost} was lost, so it is rebuilt from the records");
        let places = place.map(|(space, entity_type)| {
            (space.clone(), entity_type.into_iter().map(str::to_owned).collect())
        });
        match self.walk(places.into_iter().collect()).await {
            Ok(_) => rebuild.succeed(),
            Err(error) => {
                let why = format!(
                    "{lost} was lost, and rebuilding it from the records failed: {}",
                    error.message()
                );
                let again = Error::new(error.kind(), why);
                return Err(if error.is_retryable() { again.retryable() } else { again });
            }
        }
        Ok(())
    }

    /// Adds all records to the indexes, then marks the lists of their places and of `places` as
    /// complete. Returns how many records there are.
    ///
    /// The walk claims a list before it reads the names that belong there: an index by the score of
    /// its mark, other lists by an entry. What is written from then on adds itself to the list, and
    /// a list that is lost again loses its claim and is not marked. Where the walk meets a place
    /// that it has not claimed, it claims it and begins again.
    async fn walk(&self, mut places: Places) -> Result<u64> {
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        self.ensure_note(None).await.map_err(failed)?;
        // A score is a double, which has 53 bits.
        let seed = RandomState::new().build_hasher().finish() >> 12;
        let score = -1 - i64::try_from(seed).unwrap_or_default();
        self.add_listed(&mut places).await?;
        self.claim_list(&self.layout.spaces(), score).await?;
        for (space, types) in &places {
            self.claim_list(&self.layout.types(space), score).await?;
            self.call_for(&self.scripts.claim, score, space, types).await?;
        }
        let mut passes = 0;
        loop {
            let claimed = places.clone();
            let records = self.pass(&mut places, score).await?;
            passes += 1;
            if places == claimed || passes == PASSES {
                self.mark(&places, &claimed, score).await?;
                return Ok(records);
            }
        }
    }

    /// Adds all records to the indexes, and their places to `places`. Returns how many records
    /// there are.
    async fn pass(&self, places: &mut Places, score: i64) -> Result<u64> {
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        let mut records = 0;
        for place in self.servers.primaries().await.map_err(failed)? {
            let mut cursor = START.to_vec();
            loop {
                let step = self.scan_keys(&place, &cursor).await.map_err(failed)?;
                records += self.add_all(&step.names, places, score).await?;
                if step.is_last() {
                    break;
                }
                cursor = step.next;
            }
        }
        Ok(records)
    }

    /// Adds the places that are listed.
    async fn add_listed(&self, places: &mut Places) -> Result<()> {
        let listed = self.members(&self.layout.spaces()).await?;
        for space in listed.iter().filter_map(|name| Space::from_stored(name).ok()) {
            places.entry(space).or_default();
        }
        for (space, types) in places {
            types.extend(self.listed_types(space).await?.0);
        }
        Ok(())
    }

    /// Adds the records among these keys to their indexes, and their types to `places`. Also the
    /// places of lists among them: writers do not list again what they have listed, although
    /// another list is lost and there is no record at the time.
    async fn add_all(&self, names: &[Vec<u8>], places: &mut Places, score: i64) -> Result<u64> {
        let mut found: BTreeMap<Space, BTreeMap<String, Vec<Key>>> = BTreeMap::new();
        for (space, key) in names.iter().filter_map(|name| self.layout.parse_record(name)) {
            let types = found.entry(space).or_default();
            types.entry(key.entity_type().to_owned()).or_default().push(key);
        }
        for (space, entity_type) in names.iter().filter_map(|name| self.layout.parse_list(name)) {
            let types = found.entry(space).or_default();
            if let Some(entity_type) = entity_type {
                types.entry(entity_type).or_default();
            }
        }
        let failed = |failure: Failure| failure.into_error(Effect::Write);
        let mut added = 0;
        for (space, types) in found {
            if !places.contains_key(&space) {
                self.claim_list(&self.layout.types(&space), score).await?;
            }
            let listed = places.entry(space.clone()).or_default();
            for (entity_type, keys) in types {
                if !listed.contains(&entity_type) {
                    let new = BTreeSet::from([entity_type.clone()]);
                    self.call_for(&self.scripts.claim, score, &space, &new).await?;
                }
                added += match self.layout.placement {
                    _ if keys.is_empty() => 0,
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
                listed.insert(entity_type);
            }
        }
        Ok(added)
    }

    async fn add_in_space(&self, space: &Space, entity_type: &str, keys: &[Key]) -> Result<u64> {
        let index = self.layout.index(space, entity_type);
        let unit = |form: Form| {
            let mut call = self.scripts.add_in_space.call(form, 1 + keys.len());
            call.arg(&index);
            for key in keys {
                call.arg(self.layout.record(space, key));
            }
            for key in keys {
                call.arg(key.id());
            }
            Unit::new(&index, vec![call])
        };
        let answer = call_one(&self.servers, Effect::Write, unit).await;
        let there = only(answer.map_err(|failure| failure.into_error(Effect::Write))?)?;
        Ok(u64::try_from(integer(&there)?).unwrap_or_default())
    }

    /// Lists places, and marks the lists of those that were claimed as complete. From the indexes
    /// up, so that no list is complete before what it leads to.
    async fn mark(&self, places: &Places, claimed: &Places, score: i64) -> Result<()> {
        for (space, types) in places {
            let name = self.layout.types(space);
            if let Some(claimed) = claimed.get(space) {
                self.call_for(&self.scripts.complete, score, space, claimed).await?;
                self.complete_list(&name, TYPES_MARK, types, score).await?;
            } else {
                let mut command = redis::cmd("SADD");
                command.arg(&name).arg(types);
                self.change(Unit::new(&name, vec![command])).await?;
            }
        }
        let mark = spaces_mark(self.layout.placement);
        let spaces = places.keys().map(Space::as_str);
        self.complete_list(&self.layout.spaces(), mark, spaces, score).await
    }

    /// Puts an entry into a list, so that its loss is noticed.
    async fn claim_list(&self, name: &str, score: i64) -> Result<()> {
        let mut command = redis::cmd("SADD");
        command.arg(name).arg(claim_of(score));
        self.change(Unit::new(name, vec![command])).await
    }

    /// Adds entries to a list, and its mark if it has kept its claim.
    async fn complete_list(
        &self,
        name: &str,
        mark: &str,
        entries: impl IntoIterator<Item = impl AsRef<str>>,
        score: i64,
    ) -> Result<()> {
        let entries: Vec<String> =
            entries.into_iter().map(|entry| entry.as_ref().to_owned()).collect();
        let unit = |form: Form| {
            let mut call = self.scripts.complete_list.call(form, 1);
            call.arg(name).arg(claim_of(score)).arg(mark).arg(&entries);
            Unit::new(name, vec![call])
        };
        let answer = call_one(&self.servers, Effect::Write, unit).await;
        answer.map_err(|failure| failure.without_effect().into_error(Effect::Write))?;
        Ok(())
    }

    /// Calls a script about the index of each type.
    async fn call_for(
        &self,
        script: &Script,
        score: i64,
        space: &Space,
        types: &BTreeSet<String>,
    ) -> Result<()> {
        let indexes: Vec<String> =
            types.iter().map(|entity_type| self.layout.index(space, entity_type)).collect();
        let unit = |at: usize, form: Form| {
            let mut call = script.call(form, 1);
            call.arg(&indexes[at]).arg(score);
            Unit::new(&indexes[at], vec![call])
        };
        for answer in call_all(&self.servers, Effect::Write, indexes.len(), unit).await {
            answer.map_err(|failure| failure.without_effect().into_error(Effect::Write))?;
        }
        Ok(())
    }

    async fn change(&self, unit: Unit) -> Result<()> {
        let answer = self.servers.send_one(unit, Effect::Write).await;
        answer.map_err(|failure| failure.without_effect().into_error(Effect::Write))?;
        Ok(())
    }
}

/// The entry by which a walk claims a list: no space or type has such a name.
fn claim_of(score: i64) -> String {
    format!("/claim{score}")
}
