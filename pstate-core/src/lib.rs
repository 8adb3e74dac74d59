//! The heart of [PState](https://docs.rs/pstate): keys, documents, cache, preload, schema and
//! migrations, and the [`Adapter`] trait that storage implements.
//!
//! Programs depend on `pstate`, which re-exports all of this together with the adapters that its
//! features choose. Authors of adapters depend on this crate.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> pstate_core::Result<()> {
//! use std::sync::Arc;
//! use pstate_core::{MemoryAdapter, PState};
//! use serde_json::json;
//!
//! let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build()?;
//! pstate.put("deck:es", &json!({"cards": [{"$ref": "card:1"}]})).await?;
//! pstate.put("card:1", &json!({"front": "hola"})).await?;
//!
//! let loaded = pstate.preload("deck:es", "cards").await?.unwrap();
//! for card in loaded.follow(loaded.root(), "cards")? {
//!     assert_eq!(card.get("front")?, Some(&json!("hola")));
//! }
//! pstate.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | see |
//! |---|---|
//! | read and write documents | [`PState`], [`Document`], [`Collection`], [`Key`], [`Ref`] |
//! | load a graph | [`Preload`], [`Loaded`] |
//! | change the shape of documents | [`schema`], [`MigrationWriter`], [`PState::migrate_all`] |
//! | see what is done | [`Observer`], [`Event`], [`Stats`], [`Thresholds`] |
//! | store them elsewhere | [`Adapter`], [`MemoryAdapter`], [`RetryLayer`], [`TimeoutLayer`] |
//! | move between stores | [`copy()`] |

mod background;
mod cache;
mod document;
mod engine;
mod handle;
#[cfg(feature = "metrics")]
mod metrics;
mod model;
mod preload;
mod runtime;
pub mod schema;
mod storage;
mod telemetry;

pub use background::{
    Copy, CopyDifference, CopyDifferenceKind, CopyFailure, CopyPhase, CopyProgress, CopyReport,
    CopyVerification, DryRun, DryRunCounts, Job, JobChanges, MigrationStatus, MigrationWriter,
    Problem, ProblemKind, Sample, SpaceDigest, SpaceVerification, Sweep, SweepCheckpoint,
    SweepFailure, SweepReport, TypeStatus, Warm, WarmProgress, WarmReport, copy,
};
pub use cache::{CachePolicy, Staleness};
pub use document::Document;
pub use handle::{
    Builder, Collection, DocumentPage, PState, ScanQuery, ScanStream, StoreMaintenance, WriteBatch,
};
#[cfg(feature = "metrics")]
pub use metrics::{Metric, MetricKind, MetricsBridge};
pub use model::{
    AsKey, Batch, BatchMode, BoxError, Change, Error, ErrorKind, Expect, Key, KeyRef, Object,
    Outcome, Record, Ref, Result, Revision, Space, VersionCounts, Write, diff as difference,
};
pub use preload::{
    Comparison, Dangling, Explanation, Filter, Loaded, NPlusOne, Order, Path, Preload, SingleReads,
};
pub use schema::Schema;
pub use storage::{
    Adapter, Atomicity, Capabilities, ChangeFeed, ChangeHub, ChangeSubscription, ChangedRecord,
    ChangedTo, Changes, CountVersions, Durability, Extensions, FileUrl, GroupCommit, GroupConfig,
    GroupWriter, HubSubscription, Maintenance, MemoryAdapter, Page, ReadMode, Reply, Response,
    RetryLayer, Scan, TimeoutLayer, UrlOption, WriteRequest, WriterClient, path_error,
};
pub use telemetry::{
    CacheChange, CacheReads, CacheStats, ChangedFields, Event, FlushReport, FlushTrigger, JobState,
    Observer, Operation, PreloadStats, Stats, SweepProgress, SweepStats, Thresholds,
    WriteBackStats,
};
