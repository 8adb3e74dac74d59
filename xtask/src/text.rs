//! Rules of texts: how wide comments are, which words they use, where their links lead.

mod columns;
mod links;
mod pieces;
mod rules;
mod tally;
mod words;

pub use rules::TextRules;
pub use tally::{Texts, check};
