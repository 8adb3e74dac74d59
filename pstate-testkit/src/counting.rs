//! Counting the calls of an adapter.

mod counting_layer;
mod counts;

pub use counting_layer::CountingLayer;
pub use counts::Counts;
