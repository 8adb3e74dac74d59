//! Copies: moving documents between stores.

mod checkpoint;
mod copy;
mod digest;
mod pages;
mod progress;
mod report;
mod settings;
mod stores;
mod task;
mod verify;

pub use copy::{Copy, copy};
pub use progress::{CopyPhase, CopyProgress};
pub use report::{
    CopyDifference, CopyDifferenceKind, CopyFailure, CopyReport, CopyVerification, SpaceDigest,
    SpaceVerification,
};
