//! Adding to the index of records that are placed by key.

use std::collections::BTreeMap;

use pstate_core::Space;
use redis::Value;

use crate::error::{Effect, Failure};
use crate::server::{Form, Unit, call_all, integer, items, only};
use crate::store::Store;

/// Ids to add to the index of each type: with the number of their write, and whether to note them
/// as new in any case.
pub(crate) type Additions<'w> = BTreeMap<&'w str, Vec<(usize, bool, &'w str)>>;

impl Store {
    /// Adds to indexes, and enters types that are new. Returns until when each key is certain to be
    /// in the index; `None` if it was there already.
    pub(crate) async fn add_to_index(
        &self,
        space: &Space,
        additions: &Additions<'_>,
    ) -> Vec<(usize, Result<Option<u64>, Failure>)> {
        if additions.is_empty() {
            return Vec::new();
        }
        let lists: Vec<_> = additions.iter().collect();
        let grace = self.config.index_grace_in_millis();
        let unit = |at: usize, form: Form| {
            let (entity_type, ids) = lists[at];
            let index = self.layout.index(space, entity_type);
            let mut call = self.scripts.add.call(form, 2);
            call.arg(&index).arg(self.layout.added(space, entity_type)).arg(grace);
            for (_, in_any_case, id) in ids {
                call.arg(format!("{}{id}", if *in_any_case { 'f' } else { 'm' }));
            }
            Unit::new(&index, vec![call])
        };
        let types = additions.keys().copied();
        let known = self.enter_missing(space, types).await;
        // An entry without a record does no harm, so this is never of unknown effect.
        let answers = call_all(&self.servers, Effect::Write, lists.len(), unit).await;
        let mut all = Vec::new();
        for ((entity_type, ids), answer) in lists.into_iter().zip(answers) {
            let mut added = known.clone().and_then(|()| read_added(answer, ids.len(), grace));
            // The first of its type, although the type may be entered: the server was emptied.
            if let Ok((0, _)) = &added {
                let entered = self.enter(space, &[entity_type]).await;
                if let Err(failure) = entered {
                    added = Err(failure);
                }
            }
            for (at, (n, _, _)) in ids.iter().enumerate() {
                let until = added.as_ref().map(|(_, until)| until[at]).map_err(Clone::clone);
                all.push((*n, until));
            }
        }
        all
    }
}

/// Reads how many ids there were before, and until when each is certain to be in the index.
fn read_added(
    answer: Result<Vec<Value>, Failure>,
    count: usize,
    grace: u64,
) -> Result<(i64, Vec<Option<u64>>), Failure> {
    let answer = answer.map_err(Failure::without_effect)?;
    let numbers: Option<Vec<i64>> = only(answer)
        .and_then(items)
        .ok()
        .and_then(|items| items.iter().map(|item| integer(item).ok()).collect());
    match numbers.as_deref() {
        Some([now, before, added @ ..]) if added.len() == count => {
            let until = u64::try_from(*now).unwrap_or_default() + grace / 2;
            Ok((*before, added.iter().map(|&added| (added == 1).then_some(until)).collect()))
        }
        _ => Err(Failure::cut_short("the script").without_effect()),
    }
}
