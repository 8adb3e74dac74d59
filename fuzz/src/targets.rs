//! The targets, each in a file of its name.

pub(crate) mod document;
pub(crate) mod key;
pub(crate) mod migration;
pub(crate) mod preload;
pub(crate) mod resolve;
pub(crate) mod space;
pub(crate) mod url;
