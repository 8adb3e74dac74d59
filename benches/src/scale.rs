//! What grows with the number of documents.

mod columns;
mod figures;
mod measure;

pub(crate) use columns::table;
pub use figures::Figures;
pub use measure::{SIZES, Task, child, measure};
