//! Preloading: which references to follow, and what was loaded.

mod filter;
mod graph;
mod loaded;
mod n_plus_one;
mod order;
mod parse;
mod plan;
mod spec;
mod value_order;
mod walk;

pub use filter::{Comparison, Filter};
pub use graph::Dangling;
pub(crate) use graph::Graph;
pub use loaded::Loaded;
pub(crate) use n_plus_one::Detector;
pub use n_plus_one::{NPlusOne, SingleReads};
pub use order::Order;
pub use plan::Explanation;
pub use spec::{Path, Preload};

pub(crate) use plan::Plan;
pub(crate) use walk::Walk;
