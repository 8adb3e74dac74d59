//! The conformance suite: does an adapter keep the contract of [`Adapter`](pstate_core::Adapter)?
//!
//! The suite needs a test target without the libtest harness, and a [`Harness`] that opens and
//! removes a store:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! ```no_run
//! // tests/conformance.rs
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use pstate_core::{Adapter, MemoryAdapter, Result};
//! use pstate_testkit::conformance::Harness;
//!
//! struct Memory;
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     async fn open(&self, _id: &str) -> Result<Arc<dyn Adapter>> {
//!         Ok(Arc::new(MemoryAdapter::new()))
//!     }
//!
//!     async fn remove(&self, _id: &str) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! pstate_testkit::conformance!(Memory);
//! ```
//!
//! `cargo test --test conformance` runs each case as a test of its own, in parallel. The usual
//! filters select cases: `cargo test --test conformance -- scan::`. A case that does not apply,
//! because of the declared capabilities or because the harness does not support it, is shown as
//! ignored with the reason. [`Settings`](crate::Settings) sets the rounds and the seed of random
//! cases.
//!
//! # Cases
//!
//! Each clause of the contract in the documentation of [`Adapter`](pstate_core::Adapter) names the
//! cases that test it. A case that fails prints that clause, what the contract demands, what the
//! adapter did, the operations that led to it, and the command that runs the case again.
//!
//! - Most cases are a few fixed steps, with the keys, values and orders that stores get wrong.
//! - `model::sequences` runs random sequences of all methods against a model, and shrinks a
//!   sequence that fails.
//! - `concurrent::linearizable` records the calls of concurrent tasks, and searches for an order
//!   that explains them ([`history`](crate::history)).
//! - `cancel::*` drop futures at every await.
//! - `durability::kill` starts the program again as a child process, kills it while it writes, and
//!   checks that everything acknowledged is there, and no batch is torn.
//!
//! A program cannot test a power cut: the suite tests
//! [`Durability::Power`](pstate_core::Durability::Power) like
//! [`Durability::Process`](pstate_core::Durability::Process).

mod case;
mod case_error;
mod cases;
mod check;
mod child;
mod context;
mod dimension;
mod follower;
mod harness;
mod kind_of_write;
mod outcome_kind;
mod peer;
mod place;
mod poll;
mod promise;
mod random_client;
mod replay;
mod requirement;
mod run;
mod runner;
mod runtime;
mod shorthand;
mod sizes;
mod store;
mod suite;
mod verdict;
mod violation;
mod watcher;
mod world;
mod writer_process;

pub use case::Case;
pub use child::is_child_process;
pub use dimension::Dimension;
pub use harness::Harness;
pub use promise::Promise;
pub use run::run;
pub use suite::Suite;
pub use verdict::Verdict;
pub use violation::Violation;
