//! Changing a part of a document, and keeping the rest of its text as it is.
//!
//! Every call that changes a part of a document goes through this module: updates, typed updates,
//! links, migration steps and field migrations. Each has three texts: the *stored* one, and what
//! the edit saw *before* and *after* its change. The difference between the last two is spliced
//! into the first. What does not differ keeps its bytes at every depth: digits of numbers, order
//! and whitespace, and members that the edit did not see because its type does not know them.
//!
//! | question | file |
//! |---|---|
//! | how a tree is edited | [`document_editor`] |
//! | how references are added to a collection, and removed | [`collection`] |
//! | how a typed value is edited, and what makes sure that it can be read again | [`typed`] |
//! | which parts of the stored text an edit replaces | [`merge`] |
//! | which item of a list has become which | [`lists`] |
//! | whether an edit has changed a member | [`same`] |
//! | how a value keeps its text when it moves to another member | [`moved`] |
//! | commas and whitespace | [`splice`] |

mod collection;
mod document_editor;
mod lists;
mod merge;
mod moved;
mod parts;
mod same;
mod splice;
#[cfg(test)]
mod tests;
mod typed;

pub(crate) use collection::{add_references, remove_references};
pub(crate) use document_editor::DocumentEditor;
pub(crate) use parts::{Kind, Member, items, kind, members, unquoted};
pub(crate) use typed::edit_typed;
