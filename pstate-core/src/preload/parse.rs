//! The text of a preload.

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::Value;

use super::filter::{Comparison, Filter};
use super::order::Order;
use super::spec::{MAX_NESTING, Path, Preload};
use crate::model::{Error, FieldName, Result, Shown};

/// The longest text, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// How many bytes of a text a message repeats, before and after the place of the mistake.
const EXCERPT: usize = 40;

impl FromStr for Preload {
    type Err = Error;

    /// Parses the text of a preload; see [Syntax](Preload#syntax).
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the position of what is wrong, and for
    /// a text beyond the [limits](Preload#limits).
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(Error::invalid_input(format!(
                "a preload text of {} bytes, at most {MAX_TEXT} are allowed",
                text.len()
            )));
        }
        Parser { text, at: 0, nesting: 0 }.preload()
    }
}

impl TryFrom<&str> for Preload {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Preload {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Preload {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

/// The field names in a path without options, such as `cards.translations`.
pub(super) fn field_names(path: &str) -> Result<Vec<Cow<'_, str>>> {
    let mut parser = Parser { text: path, at: 0, nesting: 0 };
    let mut names = vec![parser.name("a field")?];
    while parser.eat(".") {
        names.push(parser.name("a field")?);
    }
    parser.end("'.' or the end")?;
    Ok(names)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.peek();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { self.fail(&format!("{token:?}")) }
    }

    fn end(&mut self, expected: &str) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { self.fail(expected) }
    }

    fn fail<T>(&mut self, expected: &str) -> Result<T> {
        let found = self.peek().map_or("the end".to_owned(), |c| format!("{c:?}"));
        self.refuse(&format!("expected {expected}, found {found}"))
    }

    fn refuse<T>(&self, why: &str) -> Result<T> {
        let Self { text, at, .. } = self;
        let is_boundary = |&at: &usize| text.is_char_boundary(at);
        let start = (0..=at.saturating_sub(EXCERPT)).rev().find(is_boundary).unwrap_or(0);
        let end = (at + EXCERPT..text.len()).find(is_boundary).unwrap_or(text.len());
        let before = if start > 0 { ".." } else { "" };
        let after = if end < text.len() { ".." } else { "" };
        Err(Error::invalid_input(format!(
            "preload text {before}{:?}{after} at byte {at}: {why}",
            &text[start..end]
        )))
    }

    fn preload(mut self) -> Result<Preload> {
        let mut preload = Preload::new();
        if self.eat("keep_going") {
            if self.eat(":") {
                preload = preload.keep_going();
            } else {
                // A field whose name begins like that.
                self.at = 0;
            }
        }
        if self.eat("{") {
            self.expect("}")?;
        } else {
            preload.paths = self.list()?;
        }
        self.end("',' or the end")?;
        Ok(preload)
    }

    fn list(&mut self) -> Result<Vec<Path>> {
        let mut paths = vec![self.path()?];
        while self.eat(",") {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    fn path(&mut self) -> Result<Path> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return self.refuse(&format!("fields are nested at most {MAX_NESTING} deep"));
        }
        let mut path = Path::new(self.name("a field")?);
        if self.eat("*") {
            path = match self.digits() {
                None => path.repeat_default(),
                Some(digits) => match digits.parse() {
                    Ok(depth @ 1..) => path.repeat(depth),
                    _ => return self.refuse("a depth is a number from 1 to 4294967295"),
                },
            };
        }
        if self.eat("(") {
            loop {
                path = self.option(path)?;
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        if self.eat(".") {
            let paths = if self.eat("{") {
                let paths = self.list()?;
                self.expect("}")?;
                paths
            } else {
                vec![self.path()?]
            };
            path = paths.into_iter().fold(path, Path::path);
        }
        self.nesting -= 1;
        Ok(path)
    }

    fn option(&mut self, path: Path) -> Result<Path> {
        self.peek();
        let start = self.at;
        let option = self.plain_name("limit, filter or order_by")?;
        if !["limit", "filter", "order_by"].contains(&option) {
            self.at = start;
            return self.refuse(&format!(
                "unknown option {}, expected limit, filter or order_by",
                Shown(option)
            ));
        }
        let repeated = match option {
            "limit" => path.options.limit.is_some(),
            "order_by" => path.options.order.is_some(),
            _ => false,
        };
        if repeated {
            self.at = start;
            return self.refuse(&format!("`{option}` is given twice"));
        }
        self.expect(":")?;
        Ok(match option {
            "limit" => {
                self.peek();
                let start = self.at;
                match self.digits().map(str::parse) {
                    Some(Ok(limit)) => path.limit(limit),
                    Some(Err(_)) => {
                        self.at = start;
                        return self.refuse("the limit is too large");
                    }
                    None => return self.fail("a number"),
                }
            }
            "order_by" => {
                let descending = self.eat("-");
                let field = self.name("a field")?.into_owned();
                path.order_by(Order { field, descending })
            }
            _ => {
                let field = self.name("a field")?;
                let comparison = Comparison::ALL
                    .into_iter()
                    .find_map(|(symbol, comparison)| self.eat(symbol).then_some(comparison));
                match comparison {
                    None => return self.fail("one of = != < <= > >="),
                    Some(comparison) => {
                        path.filter(Filter::field(field, comparison, self.scalar()?))
                    }
                }
            }
        })
    }

    /// The name of a field: as it is, or as a JSON string.
    fn name(&mut self, expected: &str) -> Result<Cow<'a, str>> {
        if self.peek() != Some('"') {
            return self.plain_name(expected).map(Cow::Borrowed);
        }
        let rest = self.rest();
        let quoted = &rest[..text_len(rest).unwrap_or(rest.len())];
        match serde_json::from_str::<String>(quoted) {
            Ok(name) => {
                self.at += quoted.len();
                Ok(Cow::Owned(name))
            }
            Err(_) => self.refuse("a name in quotes is a JSON string, and this is none"),
        }
    }

    fn plain_name(&mut self, expected: &str) -> Result<&'a str> {
        self.peek();
        let rest = self.rest();
        let len = rest.find(|c| !FieldName::is_plain(c)).unwrap_or(rest.len());
        if len == 0 || rest.starts_with('-') {
            return self.fail(expected);
        }
        self.at += len;
        Ok(&rest[..len])
    }

    fn digits(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += len;
        (len > 0).then(|| &rest[..len])
    }

    /// A JSON scalar.
    fn scalar(&mut self) -> Result<Value> {
        self.peek();
        let rest = self.rest();
        let len = if rest.starts_with('"') { text_len(rest) } else { rest.find([',', ')', ' ']) };
        let scalar = &rest[..len.unwrap_or(rest.len())];
        match serde_json::from_str::<Value>(scalar) {
            Ok(value) if !value.is_array() && !value.is_object() => {
                self.at += scalar.len();
                Ok(value)
            }
            _ => self.fail("a JSON scalar: text in \"\", a number, true, false or null"),
        }
    }
}

/// The length of the JSON text that `rest` begins with, quotes included.
fn text_len(rest: &str) -> Option<usize> {
    let mut escaped = false;
    let end = rest[1..].find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    Some(end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::super::spec::Options;
    use super::*;

    #[track_caller]
    fn shown(text: &str) -> String {
        text.parse::<Preload>().unwrap().to_string()
    }

    #[track_caller]
    fn error(text: &str) -> String {
        text.parse::<Preload>().unwrap_err().to_string()
    }

    #[test]
    fn every_form_is_read_and_shown_again() {
        for text in [
            "cards",
            "cards.translations, owner",
            "cards.{translations, owner.friends}, owner",
            "parent*5.name",
            "cards(limit: 10).translations",
            "cards(filter: lang = \"fr, \\\"ok)\", filter: rank >= -1.5, order_by: -rank, limit: 3)",
            r#""".a."b.c"*3."d, e"(filter: "f g" = 1, order_by: -"-h")"#,
            "keep_going, keep_going_too",
            "keep_going: keep_going.a, b",
            "keep_going: {}",
            "{}",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(" cards . { a ,b } ( ".trim_end_matches(" ( ")), "cards.{a, b}");
        assert_eq!(shown("parent*"), "parent*16");
        assert_eq!(shown(r#" "cards" . "\u0061""#), "cards.a");
        assert_eq!(shown("keep_going :a"), "keep_going: a");
    }

    #[test]
    fn errors_name_the_position_and_what_was_expected() {
        for (text, at, why) in [
            ("", 0, "expected a field, found the end"),
            ("cards.", 6, "expected a field, found the end"),
            ("cards..x", 6, "expected a field, found '.'"),
            ("a,,b", 2, "expected a field, found ','"),
            ("a b", 2, "expected ',' or the end, found 'b'"),
            ("{a}", 1, "expected \"}\", found 'a'"),
            ("a(size: 3)", 2, "unknown option `size`, expected limit, filter or order_by"),
            ("a(\"limit\": 3)", 2, "expected limit, filter or order_by, found '\"'"),
            ("a(limit: x)", 9, "expected a number, found 'x'"),
            ("a(limit: 1, limit: 2)", 12, "`limit` is given twice"),
            ("a(filter: b ~ 1)", 12, "expected one of = != < <= > >=, found '~'"),
            (
                "a(filter: b = [1])",
                14,
                "expected a JSON scalar: text in \"\", a number, true, false or null, found '['",
            ),
            ("a.{b", 4, "expected \"}\", found the end"),
            ("a.\"b", 2, "a name in quotes is a JSON string, and this is none"),
            ("parent*0", 8, "a depth is a number from 1 to 4294967295"),
        ] {
            assert_eq!(error(text), format!("preload text {text:?} at byte {at}: {why}"));
        }
    }

    #[test]
    fn a_text_is_bounded_in_length_and_nesting_and_messages_repeat_a_part() {
        let deep = vec!["a"; 64].join(".");
        assert_eq!(shown(&deep), deep);
        assert!(error(&format!("a.{deep}")).ends_with("fields are nested at most 64 deep"));
        let braces = format!("{}a", "a.{".repeat(100_000));
        assert!(error(&braces[..16_000]).ends_with("fields are nested at most 64 deep"));

        let long = "é".repeat(8_192);
        assert_eq!(shown(&long), long);
        let expected = "a preload text of 16385 bytes, at most 16384 are allowed";
        assert_eq!(error(&format!("{long}a")), expected);
        let message = error(&format!("{}. ({}", "é".repeat(4_000), "é".repeat(4_000)));
        let before = format!("{}. (", "é".repeat(19));
        let expected = format!("preload text ..\"{before}{}\"..", "é".repeat(20));
        assert!(message.starts_with(&expected), "{message}");
        assert!(error(&format!("a({}: 1)", "b".repeat(9_999))).len() < 300);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_reads_it_reads_again(
            text in "[a-c.,{}()*:=<>\\-0-9 \"\\\\lfo_]{0,40}"
        ) {
            if let Ok(preload) = text.parse::<Preload>() {
                let shown = preload.to_string();
                prop_assert_eq!(shown.parse::<Preload>().unwrap(), preload, "{}", shown);
            }
        }

        #[test]
        fn what_is_shown_of_a_preload_is_parsed_to_an_equal_one(preload in preloads()) {
            let shown = preload.to_string();
            prop_assert_eq!(shown.parse::<Preload>().unwrap(), preload, "{}", shown);
        }
    }

    /// Any preload that can be built without a closure.
    fn preloads() -> impl Strategy<Value = Preload> {
        (prop::collection::vec(paths(), 0..4), any::<bool>()).prop_map(|(paths, keep_going)| {
            let preload = paths.into_iter().fold(Preload::new(), Preload::path);
            if keep_going { preload.keep_going() } else { preload }
        })
    }

    fn paths() -> impl Strategy<Value = Path> {
        let path = || {
            (names(), 0..3_u32, options()).prop_map(|(field, depth, options)| {
                let mut path = Path::new(field).repeat(depth);
                path.options = options;
                path
            })
        };
        path().prop_recursive(4, 16, 3, move |inner| {
            (path(), prop::collection::vec(inner, 0..4)).prop_map(
                |(path, below): (Path, Vec<Path>)| below.into_iter().fold(path, Path::path),
            )
        })
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,3}",
            "keep_going|limit|filter|order_by",
            "[a-c.,*(){}:\"\\\\ -]{0,4}",
            ".*"
        ]
    }

    fn options() -> impl Strategy<Value = Options> {
        let values = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        let comparisons = prop::sample::select(Comparison::ALL.to_vec());
        let filters = (names(), comparisons, values)
            .prop_map(|(field, (_, comparison), value)| Filter::field(field, comparison, value));
        let orders =
            (names(), any::<bool>()).prop_map(|(field, descending)| Order { field, descending });
        (
            prop::option::of(any::<usize>()),
            prop::collection::vec(filters, 0..3),
            prop::option::of(orders),
        )
            .prop_map(|(limit, filters, order)| Options { limit, filters, order })
    }
}
