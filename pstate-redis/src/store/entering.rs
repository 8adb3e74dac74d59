//! Entering spaces and types in the lists, and the note of the data set with them.
//!
//! The lists are never shorter than what is stored: a place is entered before the first record goes
//! into it. They may be longer, so listing spaces checks whether they hold a record. Nothing
//! removes entries.
//!
//! # Lists that were lost
//!
//! Redis has no empty sets, so a list that was deleted or evicted looks like one that was never
//! made. Each list therefore has a mark, an entry that can be no name: only a list with its mark is
//! complete. A list is marked when it is made, if the list above it shows that it is the first of
//! its kind: the list of spaces with the note, the types of a space that was not listed, the index
//! of a type that was not listed. A list that another write makes, after it was lost, has no mark,
//! and the next scan rebuilds it (`index/reindex.rs`).
//!
//! The note and the list of spaces can both be lost. So a data set without either counts as new
//! only if one step over the servers' keys finds no record. If the servers hold many keys of other
//! programs, one step does not show it, and the first scan of a new data set walks over all keys.

use pstate_core::Space;
use redis::Value;

use super::key_scan::START;
use super::note::{check_note, lacks_id, new_note, other_placement};
use super::store::Store;
use crate::config::Placement;
use crate::error::{Effect, Failure};
use crate::layout::spaces_mark;
use crate::server::{Form, Unit, bytes, call_all, integer, items, only};

/// What the list of spaces says of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    /// The list is complete, or there is no data set.
    No,
    /// The list was lost.
    Unknown,
}

impl Store {
    /// Enters the types that this adapter has not entered yet.
    pub(crate) async fn enter_missing<'a>(
        &self,
        space: &Space,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Failure> {
        let missing = self.registry.missing(space, types, self.servers.changes());
        if missing.is_empty() {
            return Ok(());
        }
        self.enter(space, &missing).await
    }

    /// Enters a space and types of records in it, and writes the note if there is none.
    pub(crate) async fn enter(&self, space: &Space, types: &[&str]) -> Result<(), Failure> {
        // Counted before entering, so that a change meanwhile counts.
        let changes = self.servers.changes();
        match self.enter_all(space, types).await {
            Ok(()) => {
                self.registry.note(space, types, changes);
                Ok(())
            }
            Err(failure) => {
                // The next write has to look before it writes.
                self.registry.clear();
                Err(failure.without_effect())
            }
        }
    }

    async fn enter_all(&self, space: &Space, types: &[&str]) -> Result<(), Failure> {
        let is_new = self.ensure_note(Some(space)).await? == Listed::No;
        let (list, name) = (self.layout.spaces(), self.layout.types(space));
        let indexes: Vec<String> = match self.layout.placement {
            Placement::PerSpace => {
                types.iter().map(|name| self.layout.index(space, name)).collect()
            }
            // They lie elsewhere.
            Placement::PerKey => Vec::new(),
        };
        let unit = |at: usize, form: Form| {
            if at == 0 {
                let mut command = redis::cmd("SADD");
                command.arg(&list).arg(space.as_str());
                return Unit::new(&list, vec![command]);
            }
            let mut call = self.scripts.enter.call(form, 1 + indexes.len());
            call.arg(&name).arg(&indexes).arg(u8::from(is_new)).arg(types);
            Unit::new(&name, vec![call])
        };
        let mut answers = call_all(&self.servers, Effect::Write, 2, unit).await.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(Failure::cut_short("the server")));
        next()?;
        let new_types = only(next()?).and_then(items);
        let new_types = new_types.map_err(|_| Failure::cut_short("the script"))?;
        if self.layout.placement == Placement::PerKey {
            let is_new = |(_, new): &(&&str, Value)| integer(new).is_ok_and(|new| new == 1);
            let new = types.iter().zip(new_types).filter(is_new);
            let indexes: Vec<String> =
                new.map(|(name, _)| self.layout.index(space, name)).collect();
            let unit = |at: usize, form: Form| {
                let mut call = self.scripts.mark_new.call(form, 1);
                call.arg(&indexes[at]);
                Unit::new(&indexes[at], vec![call])
            };
            for answer in call_all(&self.servers, Effect::Write, indexes.len(), unit).await {
                answer?;
            }
        }
        Ok(())
    }

    /// Checks the note of the data set, or writes one if there is none, as at first and after the
    /// server was emptied. Returns what the list of spaces says of `space`.
    pub(crate) async fn ensure_note(&self, space: Option<&Space>) -> Result<Listed, Failure> {
        let found = self.look(space).await?;
        if let Some(note) = &found.note {
            check_note(note, &self.layout)?;
            if !lacks_id(note) {
                return Ok(found.listed());
            }
        } else if found.list == List::Other {
            // The note alone was lost: the list still shows how the records are placed.
            let why = format!("the list {} shows it", self.layout.spaces());
            return Err(Failure::config(other_placement(&self.layout, &why)));
        }
        let is_new = found.is_absent() && self.holds_no_record().await?;
        let (name, note) = (self.layout.format(), new_note(self.layout.placement));
        let mut set = redis::cmd("SET");
        set.arg(&name).arg(&note);
        if found.note.is_none() {
            set.arg("NX");
        }
        let mut get = redis::cmd("GET");
        get.arg(&name);
        let answers =
            self.servers.send_one(Unit::new(&name, vec![set, get]), Effect::Write).await?;
        let noted = text(only(answers))?.unwrap_or_default();
        check_note(&noted, &self.layout)?;
        if is_new && noted == note {
            let list = self.layout.spaces();
            let mut mark = redis::cmd("SADD");
            mark.arg(&list).arg(spaces_mark(self.layout.placement));
            self.servers.send_one(Unit::new(&list, vec![mark]), Effect::Write).await?;
            return Ok(Listed::No);
        }
        // Another program may have made the list meanwhile.
        Ok(self.look(space).await?.listed())
    }

    /// What the list of spaces says of a space.
    pub(crate) async fn listed(&self, space: &Space) -> Result<Listed, Failure> {
        let found = self.look(Some(space)).await?;
        if found.is_absent() && self.holds_no_record().await? {
            return Ok(Listed::No);
        }
        Ok(found.listed())
    }

    /// Whether there is no data set.
    pub(crate) async fn is_absent(&self) -> Result<bool, Failure> {
        Ok(self.look(None).await?.is_absent() && self.holds_no_record().await?)
    }

    /// Whether one step over the keys of each server shows that there is no record.
    async fn holds_no_record(&self) -> Result<bool, Failure> {
        for place in self.servers.primaries().await? {
            let step = match self.scan_keys(&place, START).await {
                // A user who may not scan cannot rebuild the lists either.
                Err(failure) if failure.is("NOPERM") => return Ok(true),
                step => step?,
            };
            if !step.names.is_empty() || !step.is_last() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the note and the head of the list of spaces.
    async fn look(&self, space: Option<&Space>) -> Result<Found, Failure> {
        let (name, list) = (self.layout.format(), self.layout.spaces());
        let mut get = redis::cmd("GET");
        get.arg(&name);
        let placements = [Placement::PerSpace, Placement::PerKey];
        let mut members = redis::cmd("SMISMEMBER");
        members.arg(&list).arg(&placements.map(spaces_mark));
        // A mark stands for no space.
        members.arg(space.map_or(spaces_mark(self.layout.placement), |space| space.as_str()));
        let mut exists = redis::cmd("EXISTS");
        exists.arg(&list);
        let units = vec![Unit::new(&name, vec![get]), Unit::new(&list, vec![members, exists])];
        let mut answers = self.servers.send(units, Effect::Read).await.into_iter();
        let mut next = || answers.next().unwrap_or_else(|| Err(Failure::cut_short("the server")));
        let note = text(only(next()?))?;
        let mut list = next()?;
        let has = |value: &Value| integer(value).is_ok_and(|number| number == 1);
        let exists = list.pop().is_some_and(|exists| has(&exists));
        let members = only(list).and_then(items).map_err(|_| Failure::cut_short("the server"))?;
        let [per_space, per_key, listed] = &members[..] else {
            return Err(Failure::cut_short("the server"));
        };
        let (ours, others) = match self.layout.placement {
            Placement::PerSpace => (per_space, per_key),
            Placement::PerKey => (per_key, per_space),
        };
        let state = match exists {
            _ if has(ours) => List::Complete,
            _ if has(others) => List::Other,
            true => List::Unmarked,
            false => List::Absent,
        };
        Ok(Found { note, list: state, listed: has(listed) })
    }
}

fn text(answer: pstate_core::Result<Value>) -> Result<Option<String>, Failure> {
    let found = answer.and_then(bytes).map_err(|_| Failure::cut_short("the server"))?;
    Ok(found.map(|found| String::from_utf8_lossy(&found).into_owned()))
}

/// The note and the head of the list of spaces.
struct Found {
    note: Option<String>,
    list: List,
    listed: bool,
}

/// What the list of spaces is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Absent,
    Unmarked,
    Complete,
    /// That of another placement.
    Other,
}

impl Found {
    fn is_absent(&self) -> bool {
        self.note.is_none() && self.list == List::Absent
    }

    fn listed(&self) -> Listed {
        match self.list {
            _ if self.listed => Listed::Yes,
            List::Complete => Listed::No,
            List::Absent | List::Unmarked | List::Other => Listed::Unknown,
        }
    }
}
