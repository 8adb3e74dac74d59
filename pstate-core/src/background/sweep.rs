//! Sweeps: migrating everything that is stored, without waiting for reads.

mod checkpoint;
mod counting;
mod dry_run;
mod lease;
mod losses;
mod page_len;
mod report;
mod settings;
mod sweep;
mod task;

pub use checkpoint::SweepCheckpoint;
pub use dry_run::{DryRun, DryRunCounts, Problem, ProblemKind, Sample};
pub(crate) use lease::last_sweep;
pub use report::{SweepFailure, SweepReport};
pub use sweep::Sweep;
