//! The conformance suite: does a store keep the contract of [`Adapter`](pstate_core::Adapter)?
//!
//! A test target without the usual harness, a way to open and to remove a store, and one call:
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
//! `cargo test --test conformance` runs every case as a test of its own, in parallel; the usual
//! filters choose some: `cargo test --test conformance -- scan::`. What doesn't apply because of what
//! the adapter declares, or because its harness can't do it, is shown as ignored with the reason.
//! [`Settings`](crate::Settings) tells how to repeat random cases more often, and from which seed.
//!
//! # What a case is
//!
//! Every sentence of the contract in the documentation of [`Adapter`](pstate_core::Adapter) names the
//! cases that test it. A case that fails prints that sentence, what was expected, what was seen, the
//! operations that led to it, and the command that shows it again.
//!
//! - Most cases are a few fixed steps, with the keys, values and orders that stores get wrong.
//! - `model::sequences` runs random sequences of all methods beside a map, and shrinks what fails.
//! - `concurrent::linearizable` records what overlapping tasks saw, and searches for an order that
//!   explains it ([`history`](crate::history)).
//! - `cancel::*` drop futures at every await.
//! - `durability::kill` starts the program once more as a child, kills it while it writes, and checks
//!   that what was acknowledged is there, and whole.
//!
//! A power cut can't be tested from within a program: what declares
//! [`Durability::Power`](pstate_core::Durability::Power) is tested like
//! [`Durability::Process`](pstate_core::Durability::Process).

mod case;
mod cases;
mod child;
mod harness;
pub(crate) mod recorded;
mod suite;
mod test;
mod violation;

pub use case::Case;
pub use harness::Harness;
pub use suite::{Suite, Verdict};
pub use violation::Violation;

use std::process::ExitCode;

/// Runs the suite for one store. What `main` of a test target without harness returns.
pub fn run(harness: impl Harness) -> ExitCode {
    Suite::new().store("", harness).run()
}

/// The `main` of a test target that holds a store, or several with names, against the contract.
///
/// ```text
/// pstate_testkit::conformance!(Memory);
/// pstate_testkit::conformance!("small" => Sqlite::small(), "large" => Sqlite::large());
/// ```
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::conformance::run($harness)
        }
    };
    ($($name:literal => $harness:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::conformance::Suite::new()$(.store($name, $harness))+.run()
        }
    };
}
