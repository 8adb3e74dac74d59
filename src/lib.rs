//! A lazy-loading, persistent graph of JSON documents.
//!
//! PState keeps documents such as `base_deck:spanish` in a store of your choice and reads them as
//! if they were in memory: through a bounded cache, following references a level at a time instead
//! of one by one, and bringing documents of older versions up to date while it reads them.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use pstate::{Collection, Ref};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Deck { name: String, cards: Vec<Ref<Card>> }
//! #[derive(Serialize, Deserialize)]
//! struct Card { front: String, back: String }
//!
//! const DECKS: Collection<Deck> = Collection::new("deck");
//! const CARDS: Collection<Card> = Collection::new("card");
//!
//! # let dir = std::env::temp_dir().join(format!("pstate-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # std::env::set_current_dir(&dir)?;
//! let pstate = pstate::connect("sqlite:app.db").await?.build()?;
//! CARDS.put(&pstate, "hola", &Card { front: "hola".into(), back: "hello".into() }).await?;
//! let cards = vec![CARDS.reference("hola")?];
//! DECKS.put(&pstate, "es", &Deck { name: "Spanish".into(), cards }).await?;
//!
//! let loaded = pstate.preload("deck:es", "cards").await?.unwrap(); // one read a level
//! for card in loaded.follow(loaded.root(), "cards")? {
//!     println!("{}", card.decode::<Card>()?.front);
//! }
//! pstate.close().await?;
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | open a store | [`connect`], [`open`], [`PState::builder`] |
//! | read and write | [`PState`], [`Document`], [`Collection`] |
//! | load a graph | [`Preload`] |
//! | change the shape of what is stored | [`schema`], [`MigrationWriter`], [`PState::migrate_all`] |
//! | move between stores | [`copy()`] |
//! | back up and check a store | [`PState::maintenance`] |
//! | see what is done | [`Observer`], [`Event`], [`Stats`], [`Thresholds`] |
//! | write an adapter | [`Adapter`] |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `sqlite` (default) | one SQLite file: `connect("sqlite:app.db")`, module `sqlite` |
//! | `redis` | a Redis server: `connect("redis://localhost")`, module `redis` |
//! | `redis-cluster` | a Redis Cluster: `connect("redis+cluster://a:7000,b:7000")` |
//! | `redis-tls` | encrypted connections to Redis: `connect("rediss://...")` |
//! | `sled` | a directory, written in Rust alone: `connect("sled:app")`, module `sled` |
//! | `metrics` | counters, gauges and histograms through the crate `metrics`, for Prometheus and others: `Builder::metrics` |

mod connect;

pub use connect::{connect, open};
pub use pstate_core::{
    Adapter, AsKey, Atomicity, Batch, BatchMode, BoxError, Builder, CacheChange, CachePolicy,
    CacheReads, CacheStats, Capabilities, Change, ChangeFeed, ChangeHub, ChangeSubscription,
    ChangedFields, ChangedRecord, ChangedTo, Changes, Collection, Comparison, Copy, CopyDifference,
    CopyDifferenceKind, CopyFailure, CopyPhase, CopyProgress, CopyReport, CopyVerification,
    CountVersions, Dangling, Document, DocumentPage, DryRun, DryRunCounts, Durability, Error,
    ErrorKind, Event, Expect, Explanation, Extensions, FileUrl, Filter, FlushReport, FlushTrigger,
    GroupCommit, GroupConfig, GroupWriter, HubSubscription, Job, JobChanges, JobState, Key, KeyRef,
    Loaded, Maintenance, MemoryAdapter, MigrationStatus, MigrationWriter, NPlusOne, Object,
    Observer, Operation, Order, Outcome, PState, Page, Path, Preload, PreloadStats, Problem,
    ProblemKind, ReadMode, Record, Ref, Reply, Response, Result, RetryLayer, Revision, Sample,
    Scan, ScanQuery, ScanStream, Schema, SingleReads, Space, SpaceDigest, SpaceVerification,
    Staleness, Stats, StoreMaintenance, Sweep, SweepCheckpoint, SweepFailure, SweepProgress,
    SweepReport, SweepStats, Thresholds, TimeoutLayer, TypeStatus, UrlOption, VersionCounts, Warm,
    WarmProgress, WarmReport, Write, WriteBackStats, WriteBatch, WriteRequest, WriterClient, copy,
    difference, path_error, schema,
};

/// Counters, gauges and histograms for the ecosystem's exporters.
#[cfg(feature = "metrics")]
pub use pstate_core::{Metric, MetricKind, MetricsBridge};

/// Storage in one SQLite file.
#[cfg(feature = "sqlite")]
pub mod sqlite {
    pub use pstate_sqlite::{ReadMode, SqliteAdapter, SqliteConfig, Synchronous, TableLayout};
}

/// Storage on Redis, one server or a Cluster.
#[cfg(feature = "redis")]
pub mod redis {
    pub use pstate_redis::{Placement, RedisAdapter, RedisConfig};
}

/// Storage in a directory, by sled.
#[cfg(feature = "sled")]
pub mod sled {
    pub use pstate_sled::{Flush, ReadMode, SledAdapter, SledConfig};
}
