//! Tasks, time and locks: those of Tokio and `parking_lot`, or of a model checker.
//!
//! All concurrent code of this crate takes them from here. What is in `tokio::sync` is the same in
//! both cases: it asks no runtime for anything.

mod backoff;
mod home;
mod shield;
#[cfg(feature = "_shuttle")]
mod shuttle;
mod step;
mod task_tracker;
mod wait;

pub(crate) use backoff::{backoff, unavailable_delay};
pub(crate) use home::Home;
pub(crate) use shield::shield;
#[cfg(feature = "_shuttle")]
use shuttle::{Handle, JoinHandle};
#[cfg(feature = "_shuttle")]
pub(crate) use shuttle::{Instant, Mutex, MutexGuard, RandomState, sleep, sleep_until, timeout};
pub(crate) use step::{is_in_step, run_step};
pub(crate) use task_tracker::{Closing, TaskTracker};
#[cfg(not(feature = "_shuttle"))]
use tokio::{runtime::Handle, task::JoinHandle};
pub(crate) use wait::wait_until;
#[cfg(not(feature = "_shuttle"))]
pub(crate) use {
    foldhash::fast::RandomState,
    parking_lot::{Mutex, MutexGuard},
    tokio::time::{Instant, sleep, sleep_until, timeout},
};
