//! What the operations of one adapter share, and opening it.

mod in_flight;
mod opening;
mod own_writes;
mod registry;
mod scripts;
mod store;

pub(crate) use opening::open;
pub(crate) use store::Store;
