//! The dotted form of a preload.

use std::str::FromStr;

use serde_json::Value;

use super::filter::{Comparison, Filter};
use super::order::Order;
use super::spec::{Path, Preload};
use crate::model::{Error, Result};

/// How deeply paths and braces may be nested; keeps hostile text from exhausting the stack.
const MAX_NESTING: usize = 64;

/// Parses `path, path, ...`.
fn paths(text: &str) -> Result<Vec<Path>> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    let paths = parser.list()?;
    match parser.peek() {
        None => Ok(paths),
        Some(_) => parser.fail("',' or the end"),
    }
}

impl FromStr for Preload {
    type Err = Error;

    /// Parses the dotted form.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the position of what is wrong.
    fn from_str(text: &str) -> Result<Self> {
        Ok(Self { paths: paths(text)?, keep_going: false })
    }
}

impl TryFrom<&str> for Preload {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
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

    fn fail<T>(&mut self, expected: &str) -> Result<T> {
        let found = self.peek().map_or("the end".to_owned(), |c| format!("{c:?}"));
        self.refuse(&format!("expected {expected}, found {found}"))
    }

    fn refuse<T>(&self, why: &str) -> Result<T> {
        let Self { text, at, .. } = self;
        Err(Error::invalid_input(format!("preload {text:?}: at byte {at}: {why}")))
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
            return self.refuse(&format!("more than {MAX_NESTING} levels"));
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
            path.paths = if self.eat("{") {
                let paths = self.list()?;
                self.expect("}")?;
                paths
            } else {
                vec![self.path()?]
            };
        }
        self.nesting -= 1;
        Ok(path)
    }

    fn option(&mut self, path: Path) -> Result<Path> {
        self.peek();
        let start = self.at;
        let option = self.name("limit, filter or order_by")?;
        if !["limit", "filter", "order_by"].contains(&option) {
            self.at = start;
            return self
                .refuse(&format!("unknown option `{option}`, expected limit, filter or order_by"));
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
                let field = self.name("a field")?.to_owned();
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

    fn name(&mut self, expected: &str) -> Result<&'a str> {
        self.peek();
        let rest = self.rest();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
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
    use proptest::prelude::*;

    use crate::preload::Preload;

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
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(" cards . { a ,b } ( ".trim_end_matches(" ( ")), "cards.{a, b}");
        assert_eq!(shown("parent*"), "parent*16");
    }

    #[test]
    fn errors_name_the_position_and_what_was_expected() {
        assert_eq!(error(""), "preload \"\": at byte 0: expected a field, found the end");
        assert_eq!(
            error("cards."),
            "preload \"cards.\": at byte 6: expected a field, found the end"
        );
        assert_eq!(
            error("cards..x"),
            "preload \"cards..x\": at byte 6: expected a field, found '.'"
        );
        assert_eq!(error("a,,b"), "preload \"a,,b\": at byte 2: expected a field, found ','");
        assert_eq!(error("a b"), "preload \"a b\": at byte 2: expected ',' or the end, found 'b'");
        assert_eq!(
            error("a(size: 3)"),
            "preload \"a(size: 3)\": at byte 2: unknown option `size`, expected limit, filter or order_by"
        );
        assert_eq!(
            error("a(limit: x)"),
            "preload \"a(limit: x)\": at byte 9: expected a number, found 'x'"
        );
        assert_eq!(
            error("a(limit: 1, limit: 2)"),
            "preload \"a(limit: 1, limit: 2)\": at byte 12: `limit` is given twice"
        );
        assert_eq!(
            error("a(filter: b ~ 1)"),
            "preload \"a(filter: b ~ 1)\": at byte 12: expected one of = != < <= > >=, found '~'"
        );
        assert_eq!(
            error("a(filter: b = [1])"),
            "preload \"a(filter: b = [1])\": at byte 14: expected a JSON scalar: text in \"\", a number, true, false or null, found '['"
        );
        assert_eq!(error("a.{b"), "preload \"a.{b\": at byte 4: expected \"}\", found the end");
        assert_eq!(
            error("parent*0"),
            "preload \"parent*0\": at byte 8: a depth is a number from 1 to 4294967295"
        );
        assert!(error(&vec!["a"; 65].join(".")).ends_with("more than 64 levels"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_reads_it_reads_again(text in "[a-c.,{}()*:=<>\\-0-9 \"lfo_]{0,40}") {
            if let Ok(preload) = text.parse::<Preload>() {
                let shown = preload.to_string();
                prop_assert_eq!(shown.parse::<Preload>().unwrap().to_string(), shown);
            }
        }
    }
}
