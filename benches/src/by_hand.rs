//! The work as a careful program does it with a backend's own crate.
//!
//! Each backend has a file with the best way that its crate has. What is the same for all of them stands in
//! `graph` and `card`.

pub(crate) mod card;
pub(crate) mod graph;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;

use pstate::Key;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Result;

pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "redis")]
pub(crate) use redis::connect as redis_connection;
#[cfg(feature = "sled")]
pub use sled::Sled;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;

/// What becomes of a text that was read.
pub type Parse<T> = fn(&str) -> Result<T>;

/// A document that is stored only if what is stored is still the old one.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Where.
    pub key: Key,
    /// What has to be there.
    pub old: String,
    /// What is stored.
    pub new: String,
}

/// A deck, each of its cards, and the translations of each card.
pub type DeepDeck<T> = (Value, Vec<(Value, Vec<T>)>);

/// The work of programs that use a backend without PState.
///
/// Reads parse what the caller gets; with `parse` the caller says into what. What has to be parsed to find
/// out what to read next is parsed in any case.
pub trait ByHand: fmt::Debug + Send + Sync + Sized + 'static {
    /// One document.
    fn get<T: Send>(
        &mut self,
        key: &Key,
        parse: Parse<T>,
    ) -> impl Future<Output = Result<Option<T>>> + Send;

    /// Several documents, in the order of their keys.
    fn multi_get<T: Send>(
        &mut self,
        keys: &[Key],
        parse: Parse<T>,
    ) -> impl Future<Output = Result<Vec<Option<T>>>> + Send;

    /// A deck and its cards.
    fn deck<T: Send>(
        &mut self,
        key: &Key,
        parse: Parse<T>,
    ) -> impl Future<Output = Result<(Value, Vec<T>)>> + Send;

    /// A deck, its cards and their translations.
    fn deep_deck<T: Send>(
        &mut self,
        key: &Key,
        parse: Parse<T>,
    ) -> impl Future<Output = Result<DeepDeck<T>>> + Send;

    /// The documents whose keys begin with `prefix`, in the order of their keys.
    fn scan<T: Send>(
        &mut self,
        prefix: &str,
        parse: Parse<T>,
    ) -> impl Future<Output = Result<Vec<(String, T)>>> + Send;

    /// Stores one document.
    fn put(&mut self, key: &Key, document: &Value) -> impl Future<Output = Result<()>> + Send;

    /// Stores several documents, all or none.
    fn multi_put(&mut self, documents: &[(Key, Value)]) -> impl Future<Output = Result<()>> + Send;

    /// Stores several documents where what is there is still what was read; fails if it is not.
    fn replace(&mut self, replacements: &[Replacement]) -> impl Future<Output = Result<()>> + Send;

    /// Stores texts as they are. Not measured.
    fn load(&mut self, texts: &[(Key, String)]) -> impl Future<Output = Result<()>> + Send;

    /// Removes documents. Not measured.
    fn remove(&mut self, keys: &[Key]) -> impl Future<Output = Result<()>> + Send;

    /// Tidies up what writes have left, which would otherwise fall to whoever writes next. Not
    /// measured.
    fn settle(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// What another task uses at the same time.
    fn for_task(&self, task: usize) -> Self;
}

/// Builds what is asked for.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

/// Keeps the text.
#[expect(clippy::unnecessary_wraps, reason = "it is a `Parse`")]
pub(crate) fn keep(text: &str) -> Result<String> {
    Ok(text.to_owned())
}
