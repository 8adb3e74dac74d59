//! A card as a struct.

use std::collections::BTreeMap;

use pstate::Ref;
use serde::Deserialize;

/// A card as a program declares it.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only decoded")]
pub(crate) struct Card {
    front: String,
    back: String,
    rank: u64,
    translations: BTreeMap<String, Ref>,
}
