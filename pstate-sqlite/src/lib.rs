//! SQLite storage for PState: an [`Adapter`](pstate_core::Adapter) that keeps everything in one
//! file.
//!
//! Values are stored as they are, as text, so the `sqlite3` shell sees plain JSON:
//! `sqlite3 app.db "select key, value->>'front' from pstate"`. SQLite itself is compiled in.
//!
//! ```
//! use pstate_core::{Adapter, Batch, Key, Space, Write};
//! use pstate_sqlite::SqliteAdapter;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> pstate_core::Result<()> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! # let path = directory.path().join("app.db");
//! let store = SqliteAdapter::open(&path)?;
//! let (space, card) = (Space::default(), Key::new("base_card", "7c9e")?);
//!
//! let write = Write::put(card.clone(), br#"{"front":"hola"}"#.as_slice());
//! store.write(&space, &Batch::atomic(vec![write])).await?;
//!
//! let records = store.multi_get(&space, &[card]).await?;
//! assert_eq!(&*records[0].as_ref().expect("just written").bytes, br#"{"front":"hola"}"#);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! | what | how |
//! |---|---|
//! | atomic batches | any number of keys of one space, in one transaction |
//! | `multi_get` | one snapshot, any number of keys, none of half a batch |
//! | durability | [`Synchronous::Full`] (default): a power cut. `Normal`: the end of the process; the file stays sound. `Off`: the end of the process |
//! | concurrent writes | one thread with group commit: no "database is locked" within a process |
//! | other processes | may read and write the same file; waits for their locks up to [`busy_timeout`](SqliteConfig::busy_timeout), then a retryable error, with nothing written |
//! | order of keys | by bytes; prefixes are found by the index and have no wildcards |
//! | changes by others | found by [`ChangeFeed`](pstate_core::ChangeFeed), as a whole; what this handle writes, by key |
//! | foreign files | refused, unless [`shared_database`](SqliteConfig::shared_database) allows them |
//! | dropped futures | a batch is written wholly or not at all; a read leaves nothing behind |
//!
//! The file has to be on a local file system, because WAL mode needs shared memory, and to keep its
//! path while it is open. Programs other than SQLite must not open it meanwhile, not even to copy
//! it: closing it drops the locks of the process that does so. [`SqliteAdapter::backup`] makes
//! copies.
//!
//! No future holds a connection or a snapshot: a read that has begun runs to its end, even if its
//! future is kept and never polled again.
//!
//! # Beside other crates that link SQLite
//!
//! Only one version of `libsqlite3-sys` can be in a program. This crate works with rusqlite 0.39 to
//! 0.43, so Cargo finds one that sqlx 0.9, sea-orm 2, toasty 0.11, diesel 2, tokio-rusqlite 0.8 or
//! deadpool-sqlite 0.14 can use, too. SQLite is then the version that the older of both brings, at
//! least 3.51.3.

mod backend;
mod backup;
mod changes;
mod config;
mod error;
mod layout;
mod multi_get;
mod scan;
mod store;
mod writer;

pub use backend::SqliteAdapter;
pub use config::{SqliteConfig, Synchronous, TableLayout};
pub use pstate_core::ReadMode;
