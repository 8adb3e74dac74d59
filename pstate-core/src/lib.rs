//! The heart of [PState](https://docs.rs/pstate): keys, documents, cache, preload, schema and
//! migrations, and the [`Adapter`] trait that storage implements.
//!
//! Programs depend on `pstate`, which re-exports all of this together with the adapters that its
//! features choose. Whoever writes an adapter depends on this crate.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
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
//! # Ok::<(), pstate_core::Error>(()) }).unwrap();
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

mod adapter;
mod background;
mod backoff;
mod cache;
mod cache_policy;
mod changes;
mod collection;
mod control;
mod copy;
mod detached;
pub mod difference;
mod document;
mod engine;
mod error;
mod flush;
mod freshness;
mod gather;
mod key;
mod layer;
mod memory;
mod memory_size;
mod migrate;
mod migrated;
mod migration_writer;
mod n_plus_one;
mod pace;
mod preload;
mod pstate;
mod record;
mod reference;
mod runtime;
pub mod schema;
mod space;
mod stats;
mod status;
mod sweep;
mod telemetry;
mod versions;
mod warm;
mod write_back;

pub use adapter::{
    Adapter, Atomicity, Capabilities, CountVersions, Durability, Extensions, Page, Scan,
};
pub use cache_policy::CachePolicy;
pub use changes::{
    ChangeFeed, ChangeHub, ChangeSubscription, ChangedRecord, ChangedTo, Changes, HubSubscription,
};
pub use collection::Collection;
pub use copy::{
    Copy, CopyDifference, CopyDifferenceKind, CopyFailure, CopyProgress, CopyReport, CopyState,
    CopyVerification, RunningCopy, SpaceDigest, SpaceVerification, copy,
};
pub use document::{Document, Object};
pub use error::{Error, ErrorKind, Result, Retry};
pub use flush::{FlushReport, FlushTrigger};
pub use freshness::Staleness;
pub use key::{AsKey, Key, KeyRef};
pub use layer::{RetryLayer, TimeoutLayer};
pub use memory::MemoryAdapter;
pub use migration_writer::MigrationWriter;
pub use n_plus_one::{NPlusOne, SingleReads};
pub use preload::{Comparison, Dangling, Explanation, Filter, Loaded, Order, Path, Preload};
pub use pstate::{Builder, DocumentPage, PState, ScanQuery, WriteBatch};
pub use record::{Batch, BatchMode, Change, Expect, Outcome, Record, Revision, Write};
pub use reference::Ref;
pub use schema::Schema;
pub use space::Space;
pub use stats::{CacheStats, PreloadStats, Stats, SweepStats, WriteBackStats};
pub use status::{MigrationStatus, TypeStatus};
pub use sweep::{
    DryRun, DryRunCounts, Problem, ProblemKind, RunningSweep, Sample, Sweep, SweepCheckpoint,
    SweepFailure, SweepProgress, SweepReport, SweepState,
};
#[cfg(feature = "metrics")]
pub use telemetry::metrics::{Metric, MetricKind, MetricsBridge};
pub use telemetry::{
    CacheChange, CacheReads, ChangedFields, Event, Observer, Operation, Thresholds,
};
pub use versions::VersionCounts;
pub use warm::{RunningWarm, Warm, WarmProgress, WarmState};
