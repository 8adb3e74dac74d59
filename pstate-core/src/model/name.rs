//! Names of fields, as preloads and messages write them.

use std::fmt;

/// How many characters of a text a message repeats.
const SHOWN: usize = 80;

/// The name of a field as the text of a preload has it: as it is, or as a JSON string where it
/// would be read as something else.
pub(crate) struct FieldName<'a>(pub(crate) &'a str);

impl FieldName<'_> {
    /// Whether a character may stand in a name without quotes.
    pub(crate) fn is_plain(c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
    }
}

impl fmt::Display for FieldName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0;
        // A `-` in front says that an order is descending.
        if !name.is_empty() && !name.starts_with('-') && name.chars().all(Self::is_plain) {
            return f.write_str(name);
        }
        f.write_str(&serde_json::to_string(name).map_err(|_| fmt::Error)?)
    }
}

/// The name of a field in a message: in backticks, and only its beginning if it is long.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = Excerpt(self.0).beginning();
        let more = if beginning.len() < self.0.len() { ".." } else { "" };
        write!(f, "`{}`{more}", FieldName(beginning))
    }
}

/// A text in a message, of which only the beginning is written if it is long.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl<'a> Excerpt<'a> {
    fn beginning(&self) -> &'a str {
        let end = self.0.char_indices().nth(SHOWN).map_or(self.0.len(), |(end, _)| end);
        &self.0[..end]
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = self.beginning();
        f.write_str(beginning)?;
        f.write_str(if beginning.len() < self.0.len() { ".." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_as_something_else_is_quoted() {
        for plain in ["cards", "übung", "$v", "_a-b", "7"] {
            assert_eq!(FieldName(plain).to_string(), plain);
        }
        for (name, quoted) in [
            ("", r#""""#),
            ("a.b", r#""a.b""#),
            ("-a", r#""-a""#),
            ("a b", r#""a b""#),
            ("a\"\n", r#""a\"\n""#),
        ] {
            assert_eq!(FieldName(name).to_string(), quoted);
        }
    }

    #[test]
    fn of_a_long_name_a_message_has_the_beginning() {
        assert_eq!(Shown("cards").to_string(), "`cards`");
        assert_eq!(Shown("a b").to_string(), "`\"a b\"`");
        assert_eq!(Shown(&"é".repeat(1_000_000)).to_string(), format!("`{}`..", "é".repeat(80)));
    }
}
