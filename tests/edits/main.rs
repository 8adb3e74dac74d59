//! Edits change what they edit and nothing else, whatever calls them.
//!
//! A binary of its own: it also runs with each feature of `serde_json` that changes what a tree of
//! a document holds, which any crate of a program may turn on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod links;
mod numbers;
mod random;
mod readable;
mod tree;
mod typed;
