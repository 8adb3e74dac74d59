//! Documents: JSON objects as they are stored, read on demand.

mod derived;
mod document;
mod expansion;
mod learned;
mod references;
pub(crate) mod size;

pub(crate) use derived::{Dependent, Derived};
pub(crate) use document::CacheOwner;
pub use document::Document;
pub(crate) use document::parse;
pub(crate) use expansion::Expansion;
pub(crate) use references::{MemberReferences, Members, reference};
