//! Running the sweeps.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;
use pstate_benches::process::ChildProcess;
use pstate_benches::{Json, Result, create_sqlite_file};

use crate::child::Child;

use super::child::{Beside, Role, Swept, start, work};
use super::figures::{Figures, Killed};
use super::settings::Settings;
use super::stored;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    child: Child,
}

/// How often a sweep is killed: in the middle for the last time.
const KILLS: u64 = 6;

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let Arguments { settings, json, child } = arguments;
    if let Some(task) = child.task()? {
        return work(task);
    }
    let figures = measure(settings)?;
    print!("{figures}");
    json.write(&figures)?;
    figures.check()
}

fn measure(settings: Settings) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let [first, second] = ["beside.db", "killed.db"].map(|name| directory.path().join(name));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(create_sqlite_file(&first, settings.deck(), 1))?;
    fs::copy(&first, &second)?;

    let mut beside: Beside = start(Role::Beside, &first, &settings)?.report()?;
    let writes = std::mem::take(&mut beside.writes);
    let lost = stored::lost(&first, settings.deck(), &writes)?;
    let (_, not_current) = stored::versions(&first)?;

    let killed = kill(&second, &settings)?;
    Ok(Figures { settings, beside, lost, cards_written: writes.len(), not_current, killed })
}

/// Kills a sweep several times, each time at another point of a page.
fn kill(path: &Path, settings: &Settings) -> Result<Killed> {
    let (mut migrated, mut noted) = (Vec::new(), Vec::new());
    for kill in 1..=KILLS {
        let documents = settings.documents as u64 / 2 * kill / KILLS;
        let child = start(Role::Alone, path, settings)?;
        noted.push(kill_after(child, documents, Duration::from_millis(kill))?);
        migrated.push(stored::versions(path)?.0);
    }
    let resumed: Swept = start(Role::Alone, path, settings)?.report()?;
    noted.push(resumed.done_before);
    let twice = migrated.iter().zip(&noted[1..]).map(|(migrated, noted)| migrated - noted);
    let done_twice = twice.collect();
    Ok(Killed { migrated, done_twice, not_current: stored::versions(path)?.1, resumed })
}

/// Kills a child some time after it has done this many documents. How many of them an earlier one
/// had noted as done.
fn kill_after(mut child: ChildProcess, documents: u64, delay: Duration) -> Result<u64> {
    let mut done_before = None;
    while let Some(done) = child.next_number()? {
        let done_before = *done_before.get_or_insert(done);
        if done >= documents {
            thread::sleep(delay);
            // Dropping the child kills it.
            return Ok(done_before);
        }
    }
    Err("the sweep ended before it was killed".into())
}
