//! Preloading: which references to follow, and what was loaded.

mod filter;
mod loaded;
mod parse;
mod plan;
mod spec;

pub use filter::{Comparison, Filter};
pub use loaded::{Dangling, Loaded};
pub use plan::Explanation;
pub use spec::{Order, Path, Preload};

pub(crate) use plan::{Plan, Walk};
