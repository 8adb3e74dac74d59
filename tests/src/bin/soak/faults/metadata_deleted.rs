//! Each key is deleted that is no record: format, indexes, lists of types and spaces.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct MetadataDeleted;

impl Fault for MetadataDeleted {
    fn name(&self) -> &'static str {
        "metadata-deleted"
    }

    fn backend(&self) -> Backend {
        Backend::Redis
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        round.pause(50..200);
        // The names of records hold no slash.
        let keys = round.command(&["KEYS", "*:/*"])?;
        let keys: Vec<String> = keys.list().iter().map(|key| key.text().to_owned()).collect();
        if keys.is_empty() {
            return Err("the server holds no metadata".to_owned());
        }
        for key in keys {
            round.command(&["DEL", &key])?;
            round.count();
            round.pause(20..100);
        }
        round.pause(200..500);
        Ok(())
    }
}
