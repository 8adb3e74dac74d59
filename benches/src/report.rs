//! What a run has measured: as tables, as JSON, as plots, and in the README.

mod machine;
mod plot;
mod readme;
mod results;
mod save;

pub use machine::Machine;
pub use plot::draw;
pub use results::{Columns, Results};
pub use save::save;
