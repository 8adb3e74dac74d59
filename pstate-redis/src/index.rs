//! The index of keys, for scans; and why no record is ever missing in it.
//!
//! Redis keeps keys in no order, so the ids of each type stand in a sorted set, all with the same score,
//! which Redis orders by their bytes.
//!
//! # Records that lie with their space
//!
//! Index and record change in one step, so the index is exact, unless another program deletes records, or
//! the server drops them (`maxmemory-policy`). A scan that finds no record for an entry removes the entry,
//! in a step that looks once more.
//!
//! # Records that lie by themselves
//!
//! Index and record lie in different slots, so no step changes both. The index may have entries without
//! a record; it must never lack one. A new record is written in two steps:
//!
//! 1. `ADD` puts the id into the index, and into the list of what was added lately with the time `s`;
//! 2. `WRITE_ONE` writes the record, unless it is later than `s` + grace/2 by its server's clock. Then it
//!    begins again.
//!
//! Whatever overwrites a record needs the second step only: `SET XX`, or an expected revision, does
//! nothing where there is no record. A delete removes the record alone. A scan removes entries in passing:
//! it asks for the time and then reads the index, at `r`; it reads the records, at `m`, and for those that
//! are missing `FORGET` is called, at `d`. It does nothing if `d` > `r` + grace/4, and otherwise removes an
//! id if the list has it not, or with a time before `r` - grace. What is older than the grace by
//! the time of an `ADD` is dropped from the list.
//!
//! Suppose that a record is there and `FORGET` has removed its entry. All records were missing at `m`,
//! so some first write of it, of an `ADD` at `s`, took effect at `w` > `m` (later writes overwrite it).
//!
//! - If `s` > `d`, the `ADD` has put the entry back.
//! - If `s` < `d`, the list had the id with a time of `s` or later, unless it was dropped from it before `d`. If it
//!   was dropped, or had a time before `r` - grace, then `s` < `d` - grace, which is at most
//!   `r` - ¾ grace. So `w` is at most `s` + grace/2 < `r` - grace/4 by the record's server, and `m` is at least `r`
//!   by the index's. With clocks that differ by less than grace/4, `w` < `m`: a contradiction.
//!
//! What is lost is lost, though: a Cluster's server that fails may take the last entries with it that its
//! replica has not got, while records on other servers stay. An overwrite without an expectation adds the
//! entry again, and so does [`RedisAdapter::reindex`](crate::RedisAdapter::reindex) for all records.

use pstate_core::{Key, Result, Space};

use crate::answer::{integer, milliseconds, only, texts};
use crate::config::Placement;
use crate::error::{Effect, unexpected};
use crate::per_key;
use crate::script::{self, Form};
use crate::servers::Unit;
use crate::store::Store;

/// A part of the index, in order.
#[derive(Debug)]
pub(crate) struct Entries {
    /// When it was read, in milliseconds of the server's clock; 0 where it does not matter.
    read: u64,
    pub(crate) ids: Vec<Vec<u8>>,
}

impl Store {
    /// Reads at most `count` entries of a type between two bounds as `ZRANGEBYLEX` has them.
    pub(crate) async fn entries(
        &self,
        space: &Space,
        entity_type: &str,
        (from, to): (&[u8], &[u8]),
        count: usize,
    ) -> Result<Entries> {
        let index = self.layout.index(space, entity_type);
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(&index).arg(from).arg(to).arg("LIMIT").arg(0).arg(count);
        let commands = match self.layout.placement {
            Placement::PerSpace => vec![range],
            Placement::PerKey => vec![redis::cmd("TIME"), range],
        };
        let mut answers = self.read(Unit::new(&index, commands)).await?;
        let ids = texts(answers.pop().ok_or_else(|| unexpected("list"))?)?;
        let read = answers.pop().map(milliseconds).transpose()?.unwrap_or_default();
        Ok(Entries { read, ids })
    }

    /// The types that there may be in a space, in the order of their keys.
    pub(crate) async fn types(&self, space: &Space) -> Result<Vec<String>> {
        let name = self.layout.types(space);
        let mut command = redis::cmd("SMEMBERS");
        command.arg(&name);
        let names = texts(only(self.read(Unit::new(&name, vec![command])).await?)?)?;
        let mut types: Vec<String> =
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
        // What follows a type in a key is a colon.
        types.sort_unstable_by_key(|name| format!("{name}:"));
        Ok(types)
    }

    /// Removes entries that were found to be without a record, if that is certain. Nobody depends on it.
    pub(crate) async fn forget(&self, space: &Space, entries: &Entries, keys: &[&Key]) {
        let Some(entity_type) = keys.first().map(|key| key.entity_type()) else { return };
        let index = self.layout.index(space, entity_type);
        let unit = |form: Form| {
            let mut call = match self.layout.placement {
                Placement::PerSpace => {
                    let mut call = self.scripts.forget_in_space.call(form, 1 + keys.len());
                    call.arg(&index);
                    for key in keys {
                        call.arg(self.layout.record(space, key));
                    }
                    call
                }
                Placement::PerKey => {
                    let mut call = self.scripts.forget.call(form, 2);
                    call.arg(&index).arg(self.layout.added(space, entity_type));
                    call.arg(entries.read).arg(per_key::milliseconds(self.config.index_grace));
                    call
                }
            };
            for key in keys {
                call.arg(key.id());
            }
            Unit::new(&index, vec![call])
        };
        let answer = script::send_one(&self.servers, Effect::Write, unit).await;
        match answer.map_err(|failure| failure.into_error(Effect::Write)).and_then(only) {
            Ok(removed) => {
                let removed = integer(&removed).unwrap_or_default();
                tracing::debug!(%space, entity_type, removed, "entries of the index without a record");
            }
            Err(error) => tracing::debug!(%error, "tidying the index up"),
        }
    }
}
