//! sled storage for PState: an [`Adapter`](pstate_core::Adapter) that keeps everything in one
//! directory, written in Rust alone.
//!
//! Values are stored as they are: any program that opens the directory with the crate
//! [`sled`](https://docs.rs/sled/0.34) finds plain JSON in the tree `pstate`, under the space, a
//! byte 0 and the key.
//!
//! ```
//! use pstate_core::{Adapter, Batch, Key, Space, Write};
//! use pstate_sled::SledAdapter;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> pstate_core::Result<()> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! # let path = directory.path().join("app");
//! let store = SledAdapter::open(&path)?;
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
//! | atomic batches | any number of keys of one space, in one batch of sled's |
//! | `multi_get` | one snapshot, any number of keys, none of half a batch |
//! | durability | [`Flush::EveryWrite`] (default): the end of the process, also by a kill. [`Flush::Every`]: a kill takes what was written since the last flush, which is declared as [`Durability::None`](pstate_core::Durability::None). Neither promises anything about power cuts |
//! | concurrent writes | one thread that stores and flushes what is queued together |
//! | unflushed writes | can be read by others; what these write in response is stored behind |
//! | other handles, other processes | none: opening waits up to [`busy_timeout`](SledConfig::busy_timeout), then a retryable error |
//! | order of keys | by bytes; prefixes are found by the tree and have no wildcards |
//! | changes by others | there are none; [`ChangeFeed`](pstate_core::ChangeFeed) reports by key what this handle writes |
//! | long calls | let others have their turn: reads and scans after each 256 records, [`Each`](pstate_core::BatchMode::Each) batches after each 1,024 writes; an atomic batch is one step |
//! | damage | an error, also where sled panics; a log that has lost its end is found if the store was closed before; half-written snapshots are removed on opening |
//! | failed writes | have an unknown effect; the store takes no more writes until it is opened again |
//! | foreign directories | refused, and left as they are |
//! | dropped futures | an atomic batch is written wholly or not at all, each write of another one, too; a read ends after its current portion |
//!
//! sled 0.34 is a beta without maintenance. The guide `docs/sled.md` says what that means, and how
//! to move away.

mod backend;
mod backup;
mod config;
mod error;
mod layout;
mod multi_get;
mod scan;
mod store;
mod writer;

pub use backend::SledAdapter;
pub use config::{Flush, SledConfig};
pub use pstate_core::ReadMode;
