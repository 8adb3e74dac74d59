//! Who reads a cached document.

use serde::Serialize;

/// Who reads a cached document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// A map behind the same hash, without a lock.
    Map,
    /// The cache crate, with the same hash and the same kind of key.
    Bare,
    /// `PState::get` of a text.
    Text,
    /// `PState::get` of a key.
    Key,
    /// `Collection::get`.
    Typed,
    /// `PState::get` of a key, with the metrics bridge and a Prometheus recorder.
    Metrics,
    /// `PState::get` of a key, with an observer that gets an event for each read.
    Observer,
}

impl Contender {
    pub(crate) const ALL: [Self; 7] =
        [Self::Map, Self::Bare, Self::Text, Self::Key, Self::Typed, Self::Metrics, Self::Observer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Map => "HashMap",
            Self::Bare => "quick_cache",
            Self::Text => "get(&str)",
            Self::Key => "get(&Key)",
            Self::Typed => "typed get",
            Self::Metrics => "with metrics",
            Self::Observer => "observed",
        }
    }
}
