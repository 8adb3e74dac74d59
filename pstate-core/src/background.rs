//! Work in the background of a handle: jobs, the migration writer, and what they share.

mod copy;
mod driver;
mod job;
mod job_settings;
mod migration_writer;
mod rate_limiter;
mod status;
mod store_migrated;
mod sweep;
mod warm;

pub use copy::{
    Copy, CopyDifference, CopyDifferenceKind, CopyFailure, CopyPhase, CopyProgress, CopyReport,
    CopyVerification, SpaceDigest, SpaceVerification, copy,
};
pub use job::{Job, JobChanges};
pub use migration_writer::MigrationWriter;
pub(crate) use migration_writer::RunningWriter;
pub(crate) use status::migration_status;
pub use status::{MigrationStatus, TypeStatus};
pub use sweep::{
    DryRun, DryRunCounts, Problem, ProblemKind, Sample, Sweep, SweepCheckpoint, SweepFailure,
    SweepReport,
};
pub(crate) use warm::start as start_warming;
pub use warm::{Warm, WarmProgress, WarmReport};
