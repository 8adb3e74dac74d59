//! How records lie on the servers: the names of keys, their slots, and values with their revisions.

mod names;
mod slot;
mod value;

pub(crate) use names::{INDEX_MARK, Layout, TYPES_MARK, spaces_mark};
pub(crate) use slot::{SLOTS, Slot, slot};
pub(crate) use value::{in_hex, record, revision};
