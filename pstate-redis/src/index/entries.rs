//! Reading the index, and removing entries without a record.

use pstate_core::{Key, Result, Space};
use redis::Value;

use crate::config::Placement;
use crate::error::{Effect, unexpected};
use crate::layout::{INDEX_MARK, TYPES_MARK};
use crate::server::{Form, Unit, call_one, integer, milliseconds, only, texts};
use crate::store::Store;

/// A part of the index, in order.
#[derive(Debug)]
pub(crate) struct Entries {
    /// When it was read, in milliseconds of the server's clock. 0 where it does not matter.
    read: u64,
    pub(crate) ids: Vec<Vec<u8>>,
    /// Whether the index has the mark of a complete one.
    pub(super) is_complete: bool,
}

impl Store {
    /// Reads at most `count` entries of a type between two bounds as `ZRANGEBYLEX` has them.
    pub(super) async fn entries(
        &self,
        space: &Space,
        entity_type: &str,
        (from, to): (&[u8], &[u8]),
        count: usize,
    ) -> Result<Entries> {
        let index = self.layout.index(space, entity_type);
        let mut range = redis::cmd("ZRANGEBYLEX");
        range.arg(&index).arg(from).arg(to).arg("LIMIT").arg(0).arg(count);
        let mut mark = redis::cmd("ZSCORE");
        mark.arg(&index).arg(INDEX_MARK);
        let commands = match self.layout.placement {
            Placement::PerSpace => vec![mark, range],
            Placement::PerKey => vec![redis::cmd("TIME"), mark, range],
        };
        let mut answers = self.read(Unit::new(&index, commands)).await?;
        let ids = texts(answers.pop().ok_or_else(|| unexpected("list"))?)?;
        // A negative score is that of a rebuild which has not ended.
        let is_complete = match answers.pop() {
            Some(Value::Double(score)) => score >= 0.0,
            Some(Value::BulkString(score)) => !score.starts_with(b"-"),
            _ => false,
        };
        let read = answers.pop().map(milliseconds).transpose()?.unwrap_or_default();
        Ok(Entries { read, ids, is_complete })
    }

    /// The types that are listed, and whether the list is complete.
    pub(super) async fn listed_types(&self, space: &Space) -> Result<(Vec<String>, bool)> {
        let names = self.members(&self.layout.types(space)).await?;
        let mut types: Vec<String> =
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
        let is_complete = types.iter().any(|name| name == TYPES_MARK);
        // Neither a mark nor the claim of a rebuild is a type.
        types.retain(|name| !name.starts_with('/'));
        Ok((types, is_complete))
    }

    /// The members of a set.
    pub(super) async fn members(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(name);
        texts(only(self.read(Unit::new(name, vec![command])).await?)?)
    }

    /// Removes entries without a record, if that is certain. Nothing depends on its success.
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
                    call.arg(entries.read).arg(self.config.index_grace_in_millis());
                    call
                }
            };
            for key in keys {
                call.arg(key.id());
            }
            Unit::new(&index, vec![call])
        };
        let answer = call_one(&self.servers, Effect::Write, unit).await;
        match answer.map_err(|failure| failure.into_error(Effect::Write)).and_then(only) {
            Ok(removed) => {
                let removed = integer(&removed).unwrap_or_default();
                tracing::debug!(%space, entity_type, removed, "entries of the index without a record");
            }
            Err(error) => tracing::debug!(%error, "removing entries of the index without a record"),
        }
    }
}
