//! What a handle does: events, observers, spans, warnings, and the public statistics.
//!
//! Everything that happens is an [`Event`]; [observers](Observer) get each of them after it has
//! happened, outside of all locks. What takes too long is logged by [`tracing`], at a bounded rate.
//! Without an observer a read of the cache is as fast as without all this: it neither counts more
//! nor reads a clock.

mod call;
mod changed_fields;
mod counter;
mod event;
mod flush_report;
mod job_state;
mod observer;
mod operation;
mod operation_span;
mod spans;
mod stats;
mod sweep_progress;
mod telemetry;
mod thresholds;
mod warnings;

pub(crate) use call::Call;
pub use changed_fields::ChangedFields;
pub(crate) use counter::Counter;
pub use event::{CacheChange, Event};
pub use flush_report::{FlushReport, FlushTrigger};
pub use job_state::JobState;
pub use observer::{CacheReads, Observer};
pub use operation::Operation;
pub(crate) use operation_span::OperationSpan;
pub(crate) use spans::{call_span, in_span};
pub use stats::{CacheStats, PreloadStats, Stats, SweepStats, WriteBackStats};
pub use sweep_progress::SweepProgress;
pub(crate) use telemetry::{CACHE_READS_FOR_ONE_TIMED, Telemetry};
pub use thresholds::Thresholds;
