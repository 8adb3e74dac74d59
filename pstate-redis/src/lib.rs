//! Redis storage for PState: an [`Adapter`](pstate_core::Adapter) that keeps documents on a Redis
//! server or in a Redis Cluster.
//!
//! Values are stored as they are, as strings, so `redis-cli` sees plain JSON:
//! `redis-cli GET '{pstate:default}:base_card:7c9e'`.
//!
//! ```no_run
//! use pstate_core::{Adapter, Batch, Key, Space, Write};
//! use pstate_redis::RedisAdapter;
//!
//! # async fn run() -> pstate_core::Result<()> {
//! let store = RedisAdapter::connect("redis://:secret@localhost:6379").await?;
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
//! | atomic batches | with [`Placement::PerSpace`] any writes of one space, in one transaction or script; with [`Placement::PerKey`] one key |
//! | `multi_get` | with [`Placement::PerSpace`] one snapshot; up to 10,000 keys |
//! | durability | what the server's persistence settings promise; a Cluster's failover may lose the last writes |
//! | concurrent calls | a few connections to each server that all share; no write waits for the answer to a read, and nothing for one that is known to be large |
//! | lost connections | made again; a write in flight has an unknown effect and is not [retryable](pstate_core::Error::is_retryable), everything else is |
//! | order of keys | by bytes, from an index that never lacks a record |
//! | changes by others | the server notifies by key ([`ChangeFeed`](pstate_core::ChangeFeed)); what this handle writes is reported with what is stored now |
//! | Cluster | the adapter follows slots that move and servers that take over; it never sends a command again whose effect is unknown |
//! | dropped futures | an atomic unit is written wholly or not at all; a read leaves nothing behind |
//! | secrets | are in no error, and in no `Debug` output |
//!
//! The README of this crate says what asynchronous replication and the server's settings mean for
//! what survives, what an error says about a write, and which permissions a user needs.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cluster` | a Redis Cluster: `redis+cluster://` |
//! | `tls` | encrypted connections: `rediss://` |

mod backend;
mod changes;
mod config;
mod error;
mod index;
mod layout;
mod multi_get;
mod scan;
mod server;
mod store;
mod writer;

pub use backend::RedisAdapter;
pub use config::{Placement, RedisConfig};

/// Runs the program in the README like the examples in the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
