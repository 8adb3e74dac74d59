//! Whether the task that asked for work on another thread still waits for it.

use std::sync::{Arc, Weak};

use pstate_core::{Error, ErrorKind, Result};

/// The task that waits. Long work checks it from time to time, and stops when the task is gone.
#[derive(Debug)]
pub(crate) struct Caller(Weak<()>);

impl Caller {
    /// A caller that waits for as long as it keeps the first value.
    pub(crate) fn new() -> (Arc<()>, Self) {
        let waiting = Arc::new(());
        let caller = Self(Arc::downgrade(&waiting));
        (waiting, caller)
    }

    /// Fails once the caller is gone. No task receives the error.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.strong_count() > 0 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "the caller no longer waits").retryable())
    }
}
