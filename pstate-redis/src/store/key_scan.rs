//! Walking over the keys of a server.

use super::store::Store;
use crate::error::Failure;
use crate::server::{bytes, items, only, texts};

/// How many keys a server visits in one step.
const KEYS_PER_STEP: usize = 500;

/// The cursor at which a walk over a server's keys begins and ends.
pub(crate) const START: &[u8] = b"0";

/// The names that one step has found.
#[derive(Debug)]
pub(crate) struct KeyStep {
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) next: Vec<u8>,
}

impl KeyStep {
    pub(crate) fn is_last(&self) -> bool {
        self.next == START || self.next.is_empty()
    }
}

impl Store {
    /// One step over the keys of a server that may be records.
    pub(crate) async fn scan_keys(
        &self,
        place: &(String, u16),
        cursor: &[u8],
    ) -> Result<KeyStep, Failure> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(format!("{}*", self.layout.record_prefix()));
        command.arg("COUNT").arg(KEYS_PER_STEP);
        let answer = only(self.servers.send_at(place, vec![command]).await?).and_then(items);
        let cut_short = |_| Failure::cut_short("the server");
        let mut answer = answer.map_err(cut_short)?.into_iter();
        let (Some(next), Some(names)) = (answer.next(), answer.next()) else {
            return Err(Failure::cut_short("the server"));
        };
        let next = bytes(next).map_err(cut_short)?.unwrap_or_default();
        Ok(KeyStep { names: texts(names).map_err(cut_short)?, next })
    }
}
