//! The processes that sweep.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pstate::sqlite::SqliteAdapter;
use pstate::{Job, PState, SweepProgress, SweepReport};
use pstate_benches::process::{ChildProcess, peak, reset_peak, resident};
use pstate_benches::{Result, runtime};
use pstate_testkit::workload::schema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::users::{Seen, Users};

/// How long users work before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Shorter than by default: after a kill, the next process waits for the lease to end.
const LEASE: Duration = Duration::from_secs(1);

/// What a process does: it sweeps this store.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    role: Role,
    file: PathBuf,
    settings: Settings,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Role {
    /// Sweeps beside users.
    Beside,
    /// Sweeps, and does nothing else.
    Alone,
}

/// The sweep of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Swept {
    /// From the begin of the sweep to its end.
    pub(super) seconds: f64,
    /// The time until it began, including the wait for an earlier one's lease.
    pub(super) start_seconds: f64,
    /// The documents that are done, and those of them that an earlier process had noted.
    pub(super) done: u64,
    pub(super) done_before: u64,
    pub(super) stored: u64,
    pub(super) conflicts: u64,
    pub(super) failed: u64,
    /// The resident memory at its begin, and its peak until the end, in bytes.
    pub(super) resident_before: u64,
    pub(super) peak: u64,
}

/// A sweep beside users.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Beside {
    pub(super) sweep: Swept,
    pub(super) before: Seen,
    pub(super) during: Seen,
    pub(super) after: Seen,
    /// The last acknowledged rank of each card.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) writes: Vec<(usize, u64)>,
}

/// Starts a process that sweeps a store.
pub(super) fn start(role: Role, file: &Path, settings: &Settings) -> Result<ChildProcess> {
    let task = Task { role, file: file.to_owned(), settings: settings.clone() };
    ChildProcess::start("sweep", &task)
}

/// What that process does: it prints how many documents are done, again and again, and the figures
/// in the end.
pub(super) fn work(Task { role, file, settings }: Task) -> Result<()> {
    // In a task, as in a server.
    let report = runtime()?.block_on(async {
        match role {
            Role::Beside => {
                let beside = tokio::spawn(async move { beside(&file, &settings).await });
                Ok::<_, pstate_benches::Error>(serde_json::to_string(&beside.await??)?)
            }
            Role::Alone => {
                let alone = tokio::spawn(async move { alone(&file, &settings).await });
                Ok(serde_json::to_string(&alone.await??)?)
            }
        }
    })?;
    println!("{report}");
    Ok(())
}

async fn beside(path: &Path, settings: &Settings) -> Result<Beside> {
    let pstate = open(path)?;
    let users = Users::start(&pstate, settings.deck(), settings.load.max(1));
    tokio::time::sleep(WARM_UP).await;
    users.next_phase();
    tokio::time::sleep(Duration::from_secs(settings.seconds)).await;
    users.next_phase();
    let sweep = sweep(&pstate, settings).await?;
    users.next_phase();
    tokio::time::sleep(Duration::from_secs(settings.seconds)).await;
    let ([before, during, after], writes) = users.stop().await?;
    pstate.close().await?;
    Ok(Beside { sweep, before, during, after, writes })
}

async fn alone(path: &Path, settings: &Settings) -> Result<Swept> {
    let pstate = open(path)?;
    let swept = sweep(&pstate, settings).await?;
    pstate.close().await?;
    Ok(swept)
}

fn open(path: &Path) -> Result<PState> {
    Ok(PState::builder(Arc::new(SqliteAdapter::open(path)?)).schema(schema()?).build()?)
}

async fn sweep(pstate: &PState, settings: &Settings) -> Result<Swept> {
    let resident_before = resident()?;
    reset_peak()?;
    let sweep = pstate.migrate_all().rate(settings.rate).lease(LEASE);
    let sweep = match settings.page_size {
        Some(len) => sweep.page_size(len),
        None => sweep,
    };
    let begin = Instant::now();
    let sweep = sweep.start().await?;
    let start_seconds = begin.elapsed().as_secs_f64();
    println!("{}", sweep.progress().done);
    let report = finish(sweep).await?;
    let SweepReport { done, done_before, stored, conflicts, failed, duration, .. } = report;
    Ok(Swept {
        seconds: duration.as_secs_f64(),
        start_seconds,
        done,
        done_before,
        stored,
        conflicts,
        failed,
        resident_before,
        peak: peak()?,
    })
}

/// Waits for the end of a sweep, and prints its progress.
async fn finish(sweep: Job<SweepProgress, SweepReport>) -> Result<SweepReport> {
    let mut changes = sweep.changes();
    while let Some(progress) = changes.next().await {
        println!("{}", progress.done);
    }
    Ok(sweep.wait().await?)
}
