//! What the processes do that are measured, and killed.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, io, thread};

use pstate::sqlite::SqliteAdapter;
use pstate::{PState, RunningSweep, SweepReport, SweepState};
use pstate_benches::{Result, memory};
use pstate_testkit::workload::schema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::users::{Seen, Users};
use crate::{Role, Settings, stored};

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Shorter than by default: whoever resumes after a kill waits for so long.
const LEASE: Duration = Duration::from_secs(1);

/// What stands before the numbers that a child prints.
const PROGRESS: &str = "done ";
const REPORT: &str = "report ";

/// What a sweep has done in a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Swept {
    /// From the start of the sweep to its end, without waiting for an earlier one.
    pub(crate) seconds: f64,
    /// Until it had begun, an earlier one waited for.
    pub(crate) start_seconds: f64,
    /// Looked at by it, and noted by an earlier one.
    pub(crate) done: u64,
    pub(crate) done_before: u64,
    pub(crate) stored: u64,
    pub(crate) conflicts: u64,
    pub(crate) failed: u64,
    /// Resident when it began, and at most until its end, in bytes.
    pub(crate) resident_before: u64,
    pub(crate) peak: u64,
}

/// What was seen of a sweep beside users.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) sweep: Swept,
    pub(crate) before: Seen,
    pub(crate) during: Seen,
    pub(crate) after: Seen,
    /// Of each card the last acknowledged rank.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) writes: Vec<(usize, u64)>,
}

/// Does what this process was started for, and prints what came of it.
pub(crate) fn work(role: Role, path: &Path, settings: &Settings) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let settings = settings.clone();
    let path = path.to_owned();
    let report = runtime.block_on(async {
        // In a task, as in a server.
        match role {
            Role::Beside => {
                let beside = tokio::spawn(async move { beside(&path, &settings).await });
                Ok::<_, pstate_benches::Error>(serde_json::to_string(&beside.await??)?)
            }
            Role::Alone => {
                let alone = tokio::spawn(async move { alone(&path, &settings).await });
                Ok(serde_json::to_string(&alone.await??)?)
            }
        }
    })?;
    println!("{REPORT}{report}");
    Ok(())
}

async fn beside(path: &Path, settings: &Settings) -> Result<Beside> {
    let pstate = open(path)?;
    let users = Users::start(&pstate, stored::deck(settings.documents), settings.load.max(1));
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
    let resident_before = memory::resident()?;
    memory::reset_peak()?;
    let sweep = pstate.migrate_all().page_size(settings.page_size).rate(settings.rate).lease(LEASE);
    let begin = Instant::now();
    let sweep = sweep.start().await?;
    let start_seconds = begin.elapsed().as_secs_f64();
    println!("{PROGRESS}{}", sweep.progress().done);
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
        peak: memory::peak()?,
    })
}

/// Waits for the end, and says from time to time how far it is.
async fn finish(mut sweep: RunningSweep) -> Result<SweepReport> {
    loop {
        let progress = sweep.changed().await;
        println!("{PROGRESS}{}", progress.done);
        if matches!(progress.state, SweepState::Finished | SweepState::Failed) {
            return Ok(sweep.wait().await?);
        }
    }
}

/// A child at work.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(role: Role, path: &Path, settings: &Settings) -> Result<Self> {
        let file: PathBuf = path.to_owned();
        let mut child = Command::new(env::current_exe()?)
            .args(["--role", role.name(), "--documents", &settings.documents.to_string()])
            .args(["--page-size", &settings.page_size.to_string()])
            .args(["--rate", &settings.rate.to_string(), "--load", &settings.load.to_string()])
            .args(["--seconds", &settings.seconds.to_string(), "--file"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Waits for its report.
    pub(crate) fn report<T: DeserializeOwned>(mut self) -> Result<T> {
        let mut report = None;
        for line in self.lines.by_ref() {
            if let Some(text) = line?.strip_prefix(REPORT) {
                report = Some(serde_json::from_str(text)?);
            }
        }
        let status = self.child.wait()?;
        report
            .filter(|_| status.success())
            .ok_or_else(|| format!("a child ended with {status}").into())
    }

    /// Kills it so long after it has said that it has looked at so many documents. How many it has
    /// found noted by an earlier one.
    pub(crate) fn kill_after(mut self, documents: u64, delay: Duration) -> Result<u64> {
        let mut done_before = None;
        for line in self.lines.by_ref() {
            let line = line?;
            let Some(done) = line.strip_prefix(PROGRESS) else { continue };
            let done: u64 = done.parse()?;
            let done_before = *done_before.get_or_insert(done);
            if done >= documents {
                thread::sleep(delay);
                self.child.kill()?;
                self.child.wait()?;
                return Ok(done_before);
            }
        }
        self.child.wait()?;
        Err("the sweep ended before it was killed".into())
    }
}
