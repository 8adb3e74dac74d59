//! Many tasks at once, and what other tasks of the same executor feel meanwhile.

mod columns;
mod figures;
mod measure;

pub(crate) use columns::table;
pub use figures::{Figures, Mix};
pub use measure::measure;
