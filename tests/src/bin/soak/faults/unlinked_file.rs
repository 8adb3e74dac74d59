//! The file is removed while it is open, and another process makes it again.

use std::fs;

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::{Round, slots_of};

pub(crate) struct UnlinkedFile;

impl Fault for UnlinkedFile {
    fn name(&self) -> &'static str {
        "unlinked-file"
    }

    fn backend(&self) -> Backend {
        Backend::Sqlite
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        round.pause(50..300);
        round.wipe(|round| {
            for name in ["app-wal", "app-shm"] {
                // They come and go with the handles.
                let _ = fs::remove_file(round.place.path(name));
            }
            fs::remove_file(round.place.path("app")).map_err(|error| error.to_string())
        })?;
        round.pause(1..200);
        let url = round.place.url();
        round.start(&url, slots_of(2), slots_of(2))?;
        round.pause(200..500);
        round.truth = vec![(0..slots_of(2).end, url)];
        Ok(())
    }
}
