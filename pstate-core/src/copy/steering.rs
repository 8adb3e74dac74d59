//! When the next page may begin, and when a call is made again.

use std::num::NonZeroUsize;

use tokio::sync::watch;

use super::progress::{CopyProgress, CopyState};
use crate::backoff::unavailable_delay;
use crate::control::{Control, Controlled};
use crate::error::{Error, Result};
use crate::migrated::{is_passing, wait_until};
use crate::pace::Pace;
use crate::runtime::{Instant, sleep_until};

/// Why it ends before everything is done.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was told to.
    Stopped,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Keeps to what the owner wants, and shows how far it has come.
pub(super) struct Steering {
    control: Controlled,
    pace: Pace,
    attempts: u32,
    /// What it does unless it waits: it copies, or verifies.
    activity: CopyState,
    progress: watch::Sender<CopyProgress>,
}

impl Steering {
    pub(super) fn new(control: Controlled, attempts: u32) -> Self {
        Self {
            control,
            pace: Pace::default(),
            attempts,
            activity: CopyState::Copying,
            progress: watch::Sender::new(CopyProgress::new()),
        }
    }

    pub(super) fn progress(&self) -> watch::Receiver<CopyProgress> {
        self.progress.subscribe()
    }

    /// Goes over to something else.
    pub(super) fn begin(&mut self, activity: CopyState) {
        self.activity = activity;
        self.pace.interrupt();
        self.show(activity);
    }

    /// Waits until the next page may begin, and says how long it may be.
    pub(super) async fn begin_page(
        &mut self,
        page_size: NonZeroUsize,
    ) -> Result<NonZeroUsize, Ended> {
        // A store in memory never waits; others have their turn all the same.
        tokio::task::yield_now().await;
        loop {
            let wanted = self.wanted()?;
            let now = Instant::now();
            let due = (!wanted.paused).then(|| self.pace.due(wanted.rate, now));
            if due.is_some_and(|due| due <= now) {
                self.show(self.activity);
                self.pace.begin_page(now);
                return Ok(wanted.limit(page_size));
            }
            if wanted.paused {
                self.pace.interrupt();
                self.show(CopyState::Paused);
            }
            tokio::select! {
                biased;
                () = self.control.changed() => {}
                () = wait_until(due) => {}
            }
        }
    }

    /// Ends a page of so many documents, and shows what came of it.
    pub(super) fn end_page(&mut self, len: usize, change: impl FnOnce(&mut CopyProgress)) {
        self.pace.end_page(Instant::now(), len);
        let (pace, verifies) = (&self.pace, self.activity == CopyState::Verifying);
        self.progress.send_modify(|progress| {
            change(progress);
            progress.rate = pace.rate();
            let passed = if verifies { progress.verified } else { progress.done };
            let left = progress.total.map(|total| total.saturating_sub(passed));
            progress.remaining = left.and_then(|left| pace.time_for(left));
        });
    }

    /// Shows something.
    pub(super) fn publish(&self, change: impl FnOnce(&mut CopyProgress)) {
        self.progress.send_modify(change);
    }

    /// What is wanted, unless it is to stop.
    pub(super) fn wanted(&mut self) -> Result<Control, Ended> {
        self.control.wanted().ok_or(Ended::Stopped)
    }

    /// Makes a call that may be made again whatever became of it, until it succeeds.
    pub(super) async fn attempt<T, F>(&mut self, call: impl Fn() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failed = 0;
        loop {
            match call().await {
                Ok(done) => return Ok(done),
                Err(error) => self.wait_after(error, &mut failed).await?,
            }
        }
    }

    /// Waits after a call that failed, if it may be made again.
    pub(super) async fn wait_after(&mut self, error: Error, failed: &mut u32) -> Result<(), Ended> {
        if !is_passing(&error) || *failed + 1 >= self.attempts {
            return Err(error.into());
        }
        let due = Instant::now() + unavailable_delay(*failed);
        *failed += 1;
        self.publish(|progress| {
            (progress.state, progress.unavailable) = (CopyState::Waiting, Some(error));
        });
        while Instant::now() < due {
            self.wanted()?;
            tokio::select! {
                biased;
                () = self.control.changed() => {}
                () = sleep_until(due) => {}
            }
        }
        self.show(self.activity);
        Ok(())
    }

    pub(super) fn show(&self, state: CopyState) {
        self.progress.send_if_modified(|progress| {
            let changed = progress.state != state;
            (progress.state, progress.unavailable) = (state, None);
            changed
        });
    }
}
