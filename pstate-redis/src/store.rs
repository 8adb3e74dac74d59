//! What the operations of one adapter share, and opening it.

mod entering;
mod gathering;
mod in_flight;
mod key_scan;
mod note;
mod opening;
mod own_writes;
mod rebuilds;
mod registry;
mod scripts;
mod sizes;
mod store;

pub(crate) use entering::Listed;
pub(crate) use gathering::{Gathered, Group, Joined};
pub(crate) use key_scan::START;
pub(crate) use note::check_note;
pub(crate) use opening::open;
pub(crate) use store::Store;
