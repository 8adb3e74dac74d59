//! Migrating a card, as a program does it that knows its own documents.

use serde_json::{Value, json};

use crate::Result;
use crate::by_hand::parse;

/// A card of version 1 at version 2: its rank is a number.
pub(crate) fn migrate(text: &str) -> Result<String> {
    let mut card: Value = parse(text)?;
    let rank: Option<u64> = match &card["rank"] {
        Value::String(rank) => Some(rank.parse()?),
        _ => None,
    };
    if let Some(rank) = rank {
        card["rank"] = json!(rank);
    }
    card["$v"] = json!(2);
    Ok(serde_json::to_string(&card)?)
}
