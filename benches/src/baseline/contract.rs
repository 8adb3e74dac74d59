//! What each baseline does.

use std::fmt;

use pstate::Key;
use serde_json::Value;

use crate::Result;

use super::parse::Parse;

/// A conditional write: it stores the new text if the store still holds the old one.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Where.
    pub key: Key,
    /// The text that the store has to hold.
    pub old: String,
    /// The text to store.
    pub new: String,
}

/// A deck, each of its cards, and the translations of each card.
pub type DeepDeck<T> = (Value, Vec<(Value, Vec<T>)>);

/// The work of a program that uses a backend without PState.
///
/// The parameter `parse` says what a read makes of each text that the caller gets. A read of a
/// graph parses the texts that say what to read next in any case.
pub trait Baseline: fmt::Debug + Send + Sync + Sized + 'static {
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

    /// Stores several documents if the store still holds all the old ones; otherwise it fails.
    fn replace(&mut self, replacements: &[Replacement]) -> impl Future<Output = Result<()>> + Send;

    /// Stores texts as they are. Not measured.
    fn load(&mut self, texts: &[(Key, String)]) -> impl Future<Output = Result<()>> + Send;

    /// Removes documents. Not measured.
    fn remove(&mut self, keys: &[Key]) -> impl Future<Output = Result<()>> + Send;

    /// Finishes what earlier writes have deferred, such as a checkpoint, so that no later write
    /// pays for it. Not measured.
    fn settle(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// The baseline for another task that works at the same time.
    fn for_task(&self, task: usize) -> Self;
}
