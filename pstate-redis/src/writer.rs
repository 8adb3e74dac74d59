//! Changing records: with their space in one step, or by key with the index first.

mod arguments;
mod per_key;
mod per_space;
mod put;
mod transaction;
mod write;
