//! How records lie in a directory: the file that says whose it is, the tree, its keys and values.

mod format;
mod stored_key;
mod value;

pub(crate) use format::{Owner, RECORDS, check_trees, claim, owner};
pub(crate) use stored_key::{
    KeyBuffer, after_space, parse_key, space_name, stored_key, stored_prefix,
};
pub(crate) use value::record;
