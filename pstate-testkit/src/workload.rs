//! Documents that tests and benchmarks share: decks of flashcards with translations.

mod deck;
mod schema;
mod zipf;

pub use deck::Deck;
pub use schema::schema;
pub use zipf::Zipf;
