//! Loads that several readers share.

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::document::Document;
use crate::model::{Error, ErrorKind, Result};

/// The result for each key of a flight.
pub(crate) type FlightResults = Arc<[Result<Option<Document>>]>;

/// A load of one or more keys that is under way.
pub(crate) struct Flight {
    /// Set when it has ended; `None` if it ended without a result.
    loaded: OnceLock<Option<FlightResults>>,
    /// Notified at its end. Not a `watch`: most flights have no passengers, and one costs a tenth
    /// of a cold read.
    ended: Notify,
    /// The epoch in which it began.
    epoch: u64,
}

impl Flight {
    pub(super) fn new(epoch: u64) -> Self {
        Self { loaded: OnceLock::new(), ended: Notify::new(), epoch }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits for the load, and returns the result at a place, and whether the flight had this one
    /// key only.
    pub(crate) async fn join(&self, at: usize) -> (Result<Option<Document>>, bool) {
        loop {
            // Enabled before looking, so that an end in between is not missed.
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            match self.loaded.get() {
                None => {}
                Some(Some(loaded)) => return (loaded[at].clone(), loaded.len() == 1),
                Some(None) => return (Err(lost()), false),
            }
            ended.await;
        }
    }

    /// Ends the flight. Changes nothing if it has ended already.
    pub(super) fn end(&self, loaded: Option<FlightResults>) {
        if self.loaded.set(loaded).is_ok() {
            self.ended.notify_waiters();
        }
    }
}

fn lost() -> Error {
    let why = "the read that this one waited for ended without a result";
    Error::new(ErrorKind::Unavailable, why).retryable()
}
