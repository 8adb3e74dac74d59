//! Migrating a card, as a program does that knows its own documents.

use serde_json::{Value, json};

use crate::Result;

use super::parse::parse;

/// Brings a card from version 1 to version 2, where its rank is a number.
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
