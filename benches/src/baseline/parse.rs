//! What a read makes of a text.

use serde::de::DeserializeOwned;

use crate::Result;

/// What a read makes of a text.
pub type Parse<T> = fn(&str) -> Result<T>;

/// Builds a value.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

/// Keeps the text.
#[expect(clippy::unnecessary_wraps, reason = "it is a `Parse`")]
pub(crate) fn keep(text: &str) -> Result<String> {
    Ok(text.to_owned())
}
