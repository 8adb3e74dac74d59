//! Testing the migrations of a schema.
//!
//! ```
//! use pstate_core::schema::{Entity, Schema, patterns};
//! use pstate_testkit::migrations::MigrationTest;
//! use serde_json::json;
//!
//! let schema = Schema::new([
//!     Entity::new("deck", 2).step(1, 2, patterns::rename("title", "name")),
//! ])?;
//! MigrationTest::new(schema).document("deck", 1, json!({ "title": "Spanish" })).check();
//! # Ok::<(), pstate_core::Error>(())
//! ```
//!
//! Documents come from code or from files: [`golden`](MigrationTest::golden) takes a directory with
//! `<type>/v<version>/<name>.json`, and beside each file the expected result,
//! `<name>.expected.json`.
//!
//! The test asserts, for each document and for the chain of steps as a whole:
//!
//! | promise | assertion |
//! |---|---|
//! | total | every document migrates, and the result fits the declared types |
//! | covered | every older version that the schema reads has a document |
//! | expected | the result equals the golden file |
//! | deterministic | two migrations of one document give the same bytes |
//! | idempotent | the migrations of fields, run again on the result as at a later version, change nothing |
//! | lossless | members that the schema does not declare survive byte for byte |
//! | reversible | the down-steps of the older schema give back the original |

mod difference;
mod document_check;
mod failure;
mod golden;
mod migration_test;
mod old_document;
mod promise;

pub use failure::Failure;
pub use migration_test::MigrationTest;
pub use promise::Promise;
