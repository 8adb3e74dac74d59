//! How records lie in a file: the header that says whose it is, the table, and its values.

mod format;
mod has_revision;
mod table;
mod value;

pub(crate) use format::{Header, Owner, check_library};
pub(crate) use has_revision::add_has_revision;
pub(crate) use table::{Table, create_table};
pub(crate) use value::{Stored, StoredRevision, bytes, record};
