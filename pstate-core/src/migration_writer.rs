//! Storing what reads have migrated, in the background.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::backoff::backoff;
use crate::cache::CacheKey;
use crate::document::Document;
use crate::engine::{Engine, StoreItem};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{BatchMode, Change, Expect, Outcome, Write};
use crate::space::Space;
use crate::write_back::WriteBackQueue;

/// How the documents that reads have migrated are stored.
///
/// A read never waits for it. Migrated documents are queued, one entry for each key, and written
/// in batches: when `batch_size` of them wait, when `flush_interval` has passed since the first
/// came, on [`PState::flush`](crate::PState::flush), and on [`PState::close`](crate::PState::close).
/// Every write is a compare-and-swap on the revision that was migrated, so it never overwrites what
/// somebody wrote meanwhile; a conflict drops it. When the queue is full, its oldest entry is
/// dropped and counted. Nothing is lost by that: the next read of the store migrates the document
/// again.
///
/// | preset | batch size | flush interval | trade-off |
/// |---|---|---|---|
/// | `default()` | 100 | 5 s | |
/// | [`high_throughput`](Self::high_throughput) | 500 | 2 s | fewer transactions, more memory |
/// | [`low_latency`](Self::low_latency) | 50 | 1 s | the store is current sooner, more transactions |
/// | [`memory_constrained`](Self::memory_constrained) | 25 | 500 ms | least memory in the queue |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationWriter {
    batch_size: usize,
    flush_interval: Duration,
    queue_limit: usize,
    retry_delay: Duration,
    max_retry_delay: Duration,
    close_deadline: Duration,
}

impl Default for MigrationWriter {
    fn default() -> Self {
        Self {
            batch_size: 100,
            flush_interval: Duration::from_secs(5),
            queue_limit: 10_000,
            retry_delay: Duration::from_millis(100),
            max_retry_delay: Duration::from_secs(10),
            close_deadline: Duration::from_secs(10),
        }
    }
}

impl MigrationWriter {
    /// For many migrations: batches of 500, every 2 s.
    pub fn high_throughput() -> Self {
        Self::default().batch_size(500).flush_interval(Duration::from_secs(2))
    }

    /// For a store that is current soon: batches of 50, every second.
    pub fn low_latency() -> Self {
        Self::default().batch_size(50).flush_interval(Duration::from_secs(1))
    }

    /// For a small queue: batches of 25, every 500 ms, at most 1,000 entries.
    pub fn memory_constrained() -> Self {
        Self::default().batch_size(25).flush_interval(Duration::from_millis(500)).queue_limit(1_000)
    }

    /// How many documents are written at once; so many waiting trigger a flush. At least 1.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size.max(1);
        self
    }

    /// How long a document waits at most before it is written.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// How many documents may wait. At least 1.
    pub fn queue_limit(mut self, limit: usize) -> Self {
        self.queue_limit = limit.max(1);
        self
    }

    /// How long to wait before trying again after the store was unavailable: at first, and at
    /// most. It doubles from failure to failure.
    pub fn retry_delay(mut self, first: Duration, max: Duration) -> Self {
        self.retry_delay = first;
        self.max_retry_delay = max;
        self
    }

    /// How long [`close`](crate::PState::close) tries to write what is queued.
    pub fn close_deadline(mut self, deadline: Duration) -> Self {
        self.close_deadline = deadline;
        self
    }

    pub(crate) fn queue(&self) -> WriteBackQueue {
        WriteBackQueue::new(self.queue_limit, self.full())
    }

    /// How many waiting documents trigger a flush: no more than the queue holds.
    fn full(&self) -> usize {
        self.batch_size.min(self.queue_limit)
    }

    /// Starts the task that empties the engine's queue. It ends when the returned value is
    /// dropped, after it has written what is queued.
    pub(crate) fn start(self, engine: Arc<Engine>) -> RunningWriter {
        let (commands, receiver) = mpsc::unbounded_channel();
        let runtime = engine.runtime.clone();
        let task = Task { engine, config: self, failures: 0, due: None, in_hand: 0 };
        runtime.spawn(task.run(receiver));
        RunningWriter { commands }
    }
}

/// What a flush did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FlushReport {
    /// Documents written back.
    pub stored: usize,
    /// Documents not written, because somebody else had written them meanwhile.
    pub conflicts: usize,
    /// Documents that the store refused; the log says why. They are not tried again until they
    /// are read again.
    pub failed: usize,
    /// Documents still queued, because the store was unavailable.
    pub left: usize,
    /// Why some are left.
    pub unavailable: Option<Error>,
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, conflicts, failed, left, .. } = self;
        write!(f, "{stored} stored, {conflicts} conflicts, {failed} failed, {left} left")
    }
}

enum Command {
    Flush(oneshot::Sender<FlushReport>),
    Close(oneshot::Sender<FlushReport>),
}

/// The writer's task, as the handle sees it.
#[derive(Debug)]
pub(crate) struct RunningWriter {
    commands: mpsc::UnboundedSender<Command>,
}

impl RunningWriter {
    /// Writes everything that is queued now; see [`FlushReport`].
    pub(crate) async fn flush(&self) -> Result<FlushReport> {
        self.send(Command::Flush).await
    }

    /// Writes everything that is queued, within the deadline, and ends the task.
    pub(crate) async fn close(&self) -> Result<FlushReport> {
        self.send(Command::Close).await
    }

    async fn send(
        &self,
        command: impl FnOnce(oneshot::Sender<FlushReport>) -> Command,
    ) -> Result<FlushReport> {
        let stopped = || Error::new(ErrorKind::Unavailable, "the migration writer has stopped");
        let (reply, report) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| stopped())?;
        report.await.map_err(|_| stopped())
    }
}

struct Task {
    engine: Arc<Engine>,
    config: MigrationWriter,
    /// Flushes in a row that found the store unavailable.
    failures: u32,
    /// When to flush next, if something is queued.
    due: Option<Instant>,
    /// Documents taken from the queue whose write has not been answered yet.
    in_hand: usize,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Flush(reply)) => {
                        // Whoever asked may have gone away; the flush is done all the same.
                        let _ = reply.send(self.flush(None).await);
                    }
                    Some(Command::Close(reply)) => {
                        let _ = reply.send(self.drain().await);
                        return;
                    }
                    None => {
                        self.drain().await;
                        return;
                    }
                },
                () = self.engine.queue.changed() => {}
                () = wait_until(self.due) => {
                    self.flush(None).await;
                }
            }
            self.schedule();
            if self.failures == 0 && self.engine.queue.len() >= self.config.full() {
                self.flush(None).await;
                self.schedule();
            }
        }
    }

    /// Sets the time of the next flush when there is something to write and none is set.
    fn schedule(&mut self) {
        if self.engine.queue.is_empty() {
            self.due = None;
        } else if self.due.is_none() {
            // An interval beyond the end of time is none.
            self.due = Instant::now().checked_add(self.config.flush_interval);
        }
    }

    /// Writes what is queued now, batch by batch, until the store turns out to be unavailable, or
    /// the deadline has passed.
    async fn flush(&mut self, deadline: Option<Instant>) -> FlushReport {
        let mut report = FlushReport::default();
        let mut remaining = self.engine.queue.len();
        if remaining == 0 {
            return report;
        }
        let started = Instant::now();
        self.due = None;
        let in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        while remaining > 0 && report.unavailable.is_none() && in_time() {
            let batch = self.engine.queue.take(self.config.batch_size.min(remaining));
            if batch.is_empty() {
                break;
            }
            remaining -= batch.len();
            self.in_hand = batch.len();
            self.write_back(batch, deadline, &mut report).await;
            self.in_hand = 0;
        }
        let gave_up = remaining > 0 || report.unavailable.is_some();
        report.left = if gave_up { self.engine.queue.len() } else { 0 };
        self.failures = if report.unavailable.is_some() { self.failures + 1 } else { 0 };
        if self.failures > 0 {
            let delay =
                backoff(self.config.retry_delay, self.config.max_retry_delay, self.failures - 1);
            self.due = Instant::now().checked_add(delay);
        }
        let counters = &self.engine.counters;
        counters.stored.add(report.stored);
        counters.conflicts.add(report.conflicts);
        counters.failed.add(report.failed);
        counters.flushes.add(1);
        counters
            .last_flush_micros
            .set(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        report
    }

    /// Flushes until nothing is left or the deadline has passed, and says loudly if something is.
    async fn drain(&mut self) -> FlushReport {
        // A deadline beyond the end of time is none.
        let deadline = Instant::now().checked_add(self.config.close_deadline);
        let mut total = FlushReport::default();
        loop {
            let report = self.flush(deadline).await;
            total.stored += report.stored;
            total.conflicts += report.conflicts;
            total.failed += report.failed;
            total.left = report.left;
            total.unavailable = report.unavailable;
            match self.due {
                Some(due) if total.left > 0 && deadline.is_none_or(|deadline| due < deadline) => {
                    tokio::time::sleep_until(due).await;
                }
                _ => return total,
            }
        }
    }

    /// Writes one batch, each space for itself, and puts back what the store could not take now.
    async fn write_back(
        &self,
        batch: Vec<(CacheKey, Document)>,
        deadline: Option<Instant>,
        report: &mut FlushReport,
    ) {
        let mut spaces: Vec<(Space, Vec<Document>)> = Vec::new();
        for (CacheKey { space, .. }, document) in batch {
            match spaces.iter_mut().find(|(other, _)| *other == space) {
                Some((_, documents)) => documents.push(document),
                None => spaces.push((space, vec![document])),
            }
        }
        for (space, documents) in spaces {
            let items = documents.iter().map(write_back).collect();
            let store = self.engine.store(&space, BatchMode::Each, items);
            let outcomes = tokio::select! {
                outcomes = store => outcomes,
                // The write goes on, and may still succeed; the entries are derived again anyway.
                () = wait_until(deadline) => {
                    let late = Error::new(ErrorKind::Timeout, "the deadline has passed");
                    vec![Outcome::Failed(late); documents.len()]
                }
            };
            let mut put_back = Vec::new();
            for (document, outcome) in documents.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Stored(_) | Outcome::Deleted => report.stored += 1,
                    Outcome::Conflict | Outcome::Aborted => report.conflicts += 1,
                    Outcome::Failed(error) if is_passing(&error) => {
                        report.unavailable = Some(error);
                        put_back.push(document);
                    }
                    Outcome::Failed(error) => {
                        tracing::warn!(key = %document.key(), %error, "write-back failed");
                        report.failed += 1;
                    }
                }
            }
            self.engine.queue.put_back(&space, put_back);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let left = self.engine.queue.len() + self.in_hand;
        if left > 0 {
            tracing::warn!(
                left,
                "the migration writer ended with documents that are not written back; \
                 they will be migrated again when they are read"
            );
        }
    }
}

/// The write that stores a migrated document, if nobody has written since.
fn write_back(document: &Document) -> StoreItem {
    StoreItem {
        write: Write {
            key: document.key().clone(),
            expect: Expect::Revision(document.revision()),
            change: Change::Put(document.bytes().clone()),
        },
        version: Some(document.version()),
        keep: true,
    }
}

/// Whether trying again later may succeed. A write-back may be repeated whatever became of it.
fn is_passing(error: &Error) -> bool {
    error.is_retryable() || matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable)
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
