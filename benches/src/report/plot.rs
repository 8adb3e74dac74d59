//! Drawing figures as SVG.

mod draw;
mod facets;
mod labels;
mod latency;
mod svg;

pub use draw::draw;
