//! Measures a sweep of a large store: beside its users, alone, and killed half-way.

mod child;
mod stored;
mod users;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use pstate_benches::{Result, seed};
use serde::Serialize;

use crate::child::{Beside, Running, Swept};
use crate::users::Latency;

/// Measures a sweep of a large store: beside its users, alone, and killed half-way.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What this process is to do, if it was started by another one.
    #[arg(long, hide = true, requires = "file")]
    role: Option<Role>,
    /// The store that it works on.
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args, Serialize)]
struct Settings {
    /// How many cards are stored, all at version 1.
    #[arg(long, default_value_t = 380_000)]
    documents: usize,
    /// How many documents the sweep reads and writes at once.
    #[arg(long, default_value_t = 256)]
    page_size: usize,
    /// How many documents a second the sweep looks at, at most; 0 for no limit.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// How many operations a second the users do together, one write to four reads.
    #[arg(long, default_value_t = 1_000)]
    load: u32,
    /// For how many seconds the users are measured before the sweep, and after it.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Sweeps beside users.
    Beside,
    /// Sweeps, and does nothing else.
    Alone,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Beside => "beside",
            Self::Alone => "alone",
        }
    }
}

/// All figures; times in seconds unless the name says something else, memory in bytes.
#[derive(Debug, Serialize)]
struct Figures {
    settings: Settings,
    beside: Beside,
    /// Cards whose last acknowledged write is not there.
    lost: usize,
    cards_written: usize,
    /// Cards that are not at version 2 after the sweep beside users.
    not_current: u64,
    killed: Killed,
}

/// A sweep that was killed several times, and went on in another process each time.
#[derive(Debug, Serialize)]
struct Killed {
    /// Cards at version 2 when each process was dead.
    migrated: Vec<u64>,
    /// Of those, the ones that the next process has looked at again.
    done_twice: Vec<u64>,
    /// Cards that are not at version 2 in the end.
    not_current: u64,
    /// What the last process has done.
    resumed: Swept,
}

/// How often a sweep is killed: in the middle for the last time.
const KILLS: u64 = 6;

fn main() -> Result<()> {
    let Arguments { settings, json, role, file } = Arguments::parse();
    if let (Some(role), Some(file)) = (role, file) {
        return child::work(role, &file, &settings);
    }
    let figures = measure(settings)?;
    print!("{figures}");
    if let Some(path) = json {
        fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    figures.check()
}

fn measure(settings: Settings) -> Result<Figures> {
    let directory = tempfile::tempdir()?;
    let [first, second] = ["beside.db", "killed.db"].map(|name| directory.path().join(name));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(seed(&first, stored::deck(settings.documents), 1))?;
    fs::copy(&first, &second)?;

    let mut beside: Beside = Running::start(Role::Beside, &first, &settings)?.report()?;
    let writes = std::mem::take(&mut beside.writes);
    let lost = stored::lost(&first, settings.documents, &writes)?;
    let (_, not_current) = stored::versions(&first)?;

    let killed = kill(&second, &settings)?;
    Ok(Figures { settings, beside, lost, cards_written: writes.len(), not_current, killed })
}

/// Sweeps, and is killed now and then, each time at another point of a page.
fn kill(path: &Path, settings: &Settings) -> Result<Killed> {
    let (mut migrated, mut noted) = (Vec::new(), Vec::new());
    for kill in 1..=KILLS {
        let documents = settings.documents as u64 / 2 * kill / KILLS;
        let child = Running::start(Role::Alone, path, settings)?;
        noted.push(child.kill_after(documents, Duration::from_millis(kill))?);
        migrated.push(stored::versions(path)?.0);
    }
    let resumed: Swept = Running::start(Role::Alone, path, settings)?.report()?;
    noted.push(resumed.done_before);
    let twice = migrated.iter().zip(&noted[1..]).map(|(migrated, noted)| migrated - noted);
    let done_twice = twice.collect();
    Ok(Killed { migrated, done_twice, not_current: stored::versions(path)?.1, resumed })
}

impl Figures {
    /// Refuses figures of a sweep that does not do what it should.
    fn check(&self) -> Result<()> {
        let Self { settings, beside, lost, not_current, killed, .. } = self;
        let documents = settings.documents as u64;
        let wrong = [
            (*lost > 0, "acknowledged writes are lost"),
            (*not_current > 0 || killed.not_current > 0, "documents are not current"),
            (beside.sweep.failed > 0 || killed.resumed.failed > 0, "documents have failed"),
            (
                beside.sweep.done != documents || killed.resumed.done != documents,
                "not all was swept",
            ),
            (
                killed.done_twice.iter().any(|twice| *twice > settings.page_size as u64),
                "more than a page was done twice",
            ),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err((*what).into()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, beside, lost, cards_written, not_current, killed } = self;
        let Beside { sweep, before, during, after, .. } = beside;
        writeln!(f, "{} cards at version 1, pages of {}", settings.documents, settings.page_size)?;
        writeln!(f, "\nbeside users, {} operations/s:", settings.load)?;
        write_sweep(f, sweep)?;
        write_latency(f, "reads before", &before.reads)?;
        write_latency(f, "reads during", &during.reads)?;
        write_latency(f, "reads after", &after.reads)?;
        let ratio = |to: &Latency| during.reads.p99_ns / to.p99_ns;
        let (to_before, to_after) = (ratio(&before.reads), ratio(&after.reads));
        writeln!(f, "  p99 of reads during, to before: {to_before:.2}, to after: {to_after:.2}")?;
        write_latency(f, "writes before", &before.writes)?;
        write_latency(f, "writes during", &during.writes)?;
        write_latency(f, "writes after", &after.writes)?;
        writeln!(f, "  {cards_written} cards written by users, {lost} lost")?;
        writeln!(f, "  {not_current} cards not at version 2 afterwards")?;
        let Killed { migrated, done_twice, not_current, resumed } = killed;
        writeln!(f, "\nkilled after {migrated:?} cards, then alone:")?;
        write_sweep(f, resumed)?;
        writeln!(f, "  {done_twice:?} cards looked at twice")?;
        writeln!(f, "  {not_current} cards not at version 2 afterwards")
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn write_sweep(f: &mut fmt::Formatter<'_>, swept: &Swept) -> fmt::Result {
    let Swept { seconds, start_seconds, done, done_before, stored, conflicts, failed, .. } = swept;
    let done = done - done_before;
    let rate = done as f64 / seconds;
    writeln!(
        f,
        "  {done} documents in {seconds:.1} s, {rate:.0}/s, begun after {start_seconds:.1} s"
    )?;
    writeln!(f, "  {stored} stored in all, {conflicts} conflicts, {failed} failed")?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (resident, peak) = (mebibytes(swept.resident_before), mebibytes(swept.peak));
    writeln!(f, "  memory: {resident:.1} MiB before, at most {peak:.1} MiB")
}

fn write_latency(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    let Latency { count, p50_ns, p99_ns, max_ns, p99_since_due_ns } = latency;
    let us = [p50_ns, p99_ns, max_ns, p99_since_due_ns].map(|nanos| nanos / 1e3);
    let [p50, p99, max, since_due] = us;
    writeln!(
        f,
        "  {name:<14}{count:>7}: p50 {p50:.1} us, p99 {p99:.1} us, max {max:.0} us; \
         p99 {since_due:.0} us after it was due"
    )
}
