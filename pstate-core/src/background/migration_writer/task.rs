//! The task that empties the queue.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::command::Command;
use super::config::MigrationWriter;
use super::policy::{FlushPolicy, after};
use crate::background::store_migrated::store_migrated;
use crate::document::Document;
use crate::engine::Engine;
use crate::model::Space;
use crate::runtime::{Instant, sleep_until, wait_until};
use crate::telemetry::{Event, FlushReport, FlushTrigger};

/// How many reasons of refused documents a report holds.
const FAILURES_SHOWN: usize = 10;

pub(super) struct Task {
    engine: Arc<Engine>,
    config: MigrationWriter,
    policy: FlushPolicy,
    /// Documents taken from the queue whose write has not been answered yet.
    in_hand: usize,
}

impl Task {
    pub(super) fn new(engine: Arc<Engine>, config: MigrationWriter) -> Self {
        let policy = FlushPolicy::new(config.clone(), engine.adapter().capabilities());
        Self { engine, config, policy, in_hand: 0 }
    }

    /// Ends on [`Command::Close`], or when the handle is gone, after it has written what is queued.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let trigger = self.policy.look(self.engine.queue().len(), Instant::now());
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    // The caller may have gone away; the work is done all the same.
                    Some(Command::Flush(reply)) => {
                        _ = reply.send(self.flush(FlushTrigger::Manual, None).await);
                    }
                    Some(Command::Close(reply)) => {
                        _ = reply.send(self.drain().await);
                        return;
                    }
                    None => {
                        self.drain().await;
                        return;
                    }
                },
                () = std::future::ready(()), if trigger.is_some() => {
                    self.flush(trigger.unwrap_or(FlushTrigger::Size), None).await;
                }
                () = self.engine.queue().changed() => {}
                () = wait_until(self.policy.due()) => {}
            }
        }
    }

    /// Writes what is queued now, group by group, until the store turns out to be unavailable, or
    /// the deadline has passed.
    async fn flush(&mut self, trigger: FlushTrigger, deadline: Option<Instant>) -> FlushReport {
        let mut report = FlushReport::new(trigger);
        let mut remaining = self.engine.queue().len();
        if remaining == 0 {
            return report;
        }
        let started = Instant::now();
        let in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        while remaining > 0 && report.unavailable.is_none() && in_time() {
            let group = self.engine.queue().take(self.policy.group().min(remaining));
            if group.is_empty() {
                break;
            }
            remaining -= group.len();
            self.emit_queued();
            self.in_hand = group.len();
            self.write_back(group, deadline, &mut report).await;
            self.in_hand = 0;
        }
        let gave_up = remaining > 0 || report.unavailable.is_some();
        report.left = if gave_up { self.engine.queue().len() } else { 0 };
        report.duration = started.elapsed();
        self.policy.flushed(report.unavailable.is_some(), Instant::now());
        self.engine.counters().flushes.record(&report);
        let FlushReport { trigger, stored: count, conflicts, failed, left, duration, .. } = report;
        let flush = Event::Flush { count, conflicts, failed, left, duration, trigger };
        self.engine.telemetry().flushed(&flush);
        report
    }

    fn emit_queued(&self) {
        let (waiting, in_hand) = self.engine.queue().lens();
        self.engine.telemetry().queued(waiting, in_hand);
    }

    /// Flushes until nothing is left or the deadline has passed, and closes the queue.
    async fn drain(&mut self) -> FlushReport {
        let started = Instant::now();
        let deadline = after(started, self.config.close_deadline);
        let mut total = FlushReport::new(FlushTrigger::Close);
        loop {
            let report = self.flush(FlushTrigger::Close, deadline).await;
            total.stored += report.stored;
            total.conflicts += report.conflicts;
            total.failed += report.failed;
            total.failures.extend(report.failures);
            total.failures.truncate(FAILURES_SHOWN);
            total.left = report.left;
            total.unavailable = report.unavailable;
            total.duration = started.elapsed();
            match self.policy.due() {
                Some(due) if total.left > 0 && deadline.is_none_or(|deadline| due < deadline) => {
                    sleep_until(due).await;
                }
                _ => {
                    // Something may have been queued since.
                    total.left = self.engine.queue().close();
                    return total;
                }
            }
        }
    }

    /// Writes one group, each space for itself, and puts back what the store could not take now.
    async fn write_back(
        &mut self,
        group: Vec<(Space, Document)>,
        deadline: Option<Instant>,
        report: &mut FlushReport,
    ) {
        let mut spaces: Vec<(Space, Vec<Document>)> = Vec::new();
        for (space, document) in group {
            match spaces.iter_mut().find(|(other, _)| *other == space) {
                Some((_, documents)) => documents.push(document),
                None => spaces.push((space, vec![document])),
            }
        }
        for (space, documents) in spaces {
            let result = store_migrated(&self.engine, &space, documents, true, deadline).await;
            report.stored += result.stored;
            report.conflicts += result.conflicts;
            report.failed += result.refused.len();
            for error in result.refused {
                tracing::warn!(%error, "write-back failed");
                if report.failures.len() < FAILURES_SHOWN {
                    report.failures.push(error);
                }
            }
            self.policy.answered(result.unavailable.as_ref());
            if result.unavailable.is_some() {
                report.unavailable = result.unavailable;
            }
            if !result.postponed.is_empty() {
                self.engine.queue().put_back(&space, result.postponed);
                self.emit_queued();
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let left = self.engine.queue().close() + self.in_hand;
        if left > 0 {
            tracing::warn!(
                left,
                "the migration writer ended with documents that are not written back; \
                 they will be migrated again when they are read"
            );
        }
    }
}
