//! The documents that all contenders work on: decks, their cards, and translations.

mod card;
mod dataset;
mod keys;
mod old_cards;
#[cfg(feature = "sqlite")]
mod sqlite_file;
mod texts;
mod write;

pub(crate) use card::Card;
pub(crate) use dataset::Dataset;
pub(crate) use keys::{BATCH, new_keys, scattered};
pub(crate) use old_cards::OldCards;
#[cfg(feature = "sqlite")]
pub use sqlite_file::create_sqlite_file;
pub(crate) use texts::{ELEVEN, cards_at, edited, eleven};
pub(crate) use write::{remove, store};
