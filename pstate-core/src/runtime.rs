//! Tasks, time and locks: those of Tokio and `parking_lot`, or of a model checker.
//!
//! Whatever of this crate runs at the same time as something else takes them from here. What is in
//! `tokio::sync` is the same in both cases: it asks no runtime for anything.

#[cfg(feature = "_shuttle")]
mod shuttle;

#[cfg(feature = "_shuttle")]
pub(crate) use shuttle::{
    Handle, Instant, Mutex, MutexGuard, RandomState, sleep, sleep_until, timeout,
};
#[cfg(not(feature = "_shuttle"))]
pub(crate) use {
    foldhash::fast::RandomState,
    parking_lot::{Mutex, MutexGuard},
    tokio::runtime::Handle,
    tokio::time::{Instant, sleep, sleep_until, timeout},
};
