//! A backup is restored through a second name of the file that is open.

use std::fs;

use pstate::sqlite::SqliteAdapter;
use tokio::runtime::Runtime;

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct RestoredThroughHardLink;

impl Fault for RestoredThroughHardLink {
    fn name(&self) -> &'static str {
        "restore-through-hard-link"
    }

    fn backend(&self) -> Backend {
        Backend::Sqlite
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        let place = |name: &str| round.place.path(name);
        let (app, link, backup, empty) =
            (place("app"), place("second-name"), place("backup"), place("empty"));
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let backed_up = runtime.block_on(async {
            let store = SqliteAdapter::open(&empty)?;
            store.backup(&backup).await
        });
        backed_up.map_err(|error| error.to_string())?;
        fs::hard_link(&app, &link).map_err(|error| error.to_string())?;
        round.pause(50..300);
        // It may be refused. Then nothing is taken away.
        let restored = round.wipe(|_| runtime.block_on(SqliteAdapter::restore(&backup, &link)));
        if let Err(error) = restored {
            round.refused("restore", &error);
        }
        round.pause(200..500);
        // A file with two names is not opened again.
        fs::remove_file(&link).map_err(|error| error.to_string())
    }
}
