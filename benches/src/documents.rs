//! The documents that all contenders work on: decks, their cards, and translations.

pub(crate) mod card;
mod dataset;
mod keys;
mod old_cards;
pub mod plain;
#[cfg(feature = "sqlite")]
mod sqlite_file;
mod texts;
mod write;

pub(crate) use dataset::Dataset;
pub(crate) use keys::{BATCH, new_keys, scattered};
pub(crate) use old_cards::OldCards;
#[cfg(feature = "sqlite")]
pub use sqlite_file::create_sqlite_file;
pub(crate) use texts::{ELEVEN, cards_at, decks, edited, eleven};
pub(crate) use write::{remove, store};
