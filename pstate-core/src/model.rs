//! The words of the crate: keys, spaces, records, errors, and the JSON texts of documents.

pub(crate) mod as_key;
pub(crate) mod decode;
pub mod diff;
pub(crate) mod editor;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod key;
mod misfit;
mod name;
pub(crate) mod non_finite;
mod parse_key;
mod parse_space;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod space;
pub(crate) mod version_counts;
pub(crate) mod written;

pub use as_key::AsKey;
pub(crate) use editor::{DocumentEditor, add_references, edit_typed, remove_references};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use json::Object;
pub(crate) use json::{MemberName, VERSION_MEMBER};
pub(crate) use key::KeyMap;
pub use key::{Key, KeyRef};
pub(crate) use name::{Excerpt, FieldName, Shown};
pub(crate) use parse_key::check_prefix;
pub use record::{Batch, BatchMode, Change, Expect, Outcome, Record, Revision, Write};
pub(crate) use reference::REF_MEMBER;
pub use reference::Ref;
pub use space::Space;
pub use version_counts::VersionCounts;
