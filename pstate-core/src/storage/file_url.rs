//! The URL of a store in files.

use std::time::Duration;

use crate::model::{Error, ErrorKind, Result};

/// The URL of a store in files, `scheme:path?option=value&option=value`, for adapters.
///
/// The path ends at the first `?`. In the path and in values, `%` and two hexadecimal digits stand
/// for a byte: `%3F` for `?`, `%23` for `#`, `%25` for `%`, and in values `%26` for `&`. Two
/// slashes after the scheme have no meaning: `sqlite:///var/app.db` is `sqlite:/var/app.db`.
///
/// ```
/// use pstate_core::FileUrl;
///
/// let url = FileUrl::parse("sqlite", "sqlite:a%3Fb.db?busy_timeout=500ms")?;
/// assert_eq!(url.path(), "a?b.db");
/// assert_eq!(url.options()[0].duration()?.as_millis(), 500);
/// # Ok::<(), pstate_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    path: String,
    options: Vec<UrlOption>,
}

/// An option of a [`FileUrl`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlOption {
    name: String,
    value: String,
}

impl FileUrl {
    /// Splits a URL with this scheme, in any case, into its parts.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it has another scheme, no path, a `%` or `#` that is not
    /// written as above, or an option without a value or twice.
    pub fn parse(scheme: &str, url: &str) -> Result<Self> {
        let rest = match url.split_once(':') {
            Some((begin, rest)) if begin.eq_ignore_ascii_case(scheme) => rest,
            // Quotes nothing: the URL of another store may hold a password.
            _ => return Err(config(format!("the URL has to begin with `{scheme}:`"))),
        };
        if rest.contains('#') {
            return Err(config(format!("{url}: write the `#` of a path or value as %23")));
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(config(format!(
                "no path after `{scheme}:`: write `{scheme}:app` for a store in files, or `memory:` \
                 for one in memory"
            )));
        }
        let path = decoded(path)?;
        let mut options: Vec<UrlOption> = Vec::new();
        for option in query.into_iter().flat_map(|query| query.split('&')) {
            let option = UrlOption::parse(option)?;
            if options.iter().any(|earlier| earlier.name == option.name) {
                return Err(option.refuse("is set twice"));
            }
            options.push(option);
        }
        Ok(Self { path, options })
    }

    /// The path, decoded. Not empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the `?`, in its order, each name once.
    pub fn options(&self) -> &[UrlOption] {
        &self.options
    }
}

impl UrlOption {
    fn parse(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: decoded(name)?, value: decoded(value)? })
            }
            _ => Err(config(format!(
                "the option {text:?} has no name and value: after the `?` write \
                 `name=value&name=value`; if the `?` belongs to the path, write it as %3F"
            ))),
        }
    }

    /// The name, decoded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, decoded.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value as a number.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it is none, or too large.
    pub fn number(&self) -> Result<usize> {
        let number = match self.number_and_unit() {
            (Some(number), "") => usize::try_from(number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.refuse("is not a number from 0"))
    }

    /// The value as an amount of bytes: a number, or one with the unit KiB, MiB or GiB.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it is none, or too large.
    pub fn bytes(&self) -> Result<u64> {
        let (number, unit) = self.number_and_unit();
        let factor = match unit {
            "" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let bytes = factor.zip(number).and_then(|(factor, number)| number.checked_mul(factor));
        bytes.ok_or_else(|| self.refuse("is not an amount of bytes, as 1048576 or 1MiB (KiB, GiB)"))
    }

    /// The value as a duration: a number with the unit ms, s or min.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it is none, also if it has no unit.
    pub fn duration(&self) -> Result<Duration> {
        let (number, unit) = self.number_and_unit();
        let duration = number.and_then(|number| match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "min" => number.checked_mul(60).map(Duration::from_secs),
            _ => None,
        });
        duration.ok_or_else(|| self.refuse("is not a duration, as 500ms, 5s or 10min"))
    }

    fn number_and_unit(&self) -> (Option<u64>, &str) {
        let digits = self.value.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = self.value.split_at(digits);
        (number.parse().ok(), unit)
    }

    /// What the value stands for, if it is one of these words.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), naming the words, if it is none of them.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T> {
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&self.value));
        found.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
            self.refuse(&format!("is not {}", or(&words)))
        })
    }

    /// The value as `true` or `false`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it is neither.
    pub fn boolean(&self) -> Result<bool> {
        self.one_of(&[("true", true), ("false", false)])
    }

    /// The error for an option that the adapter does not have.
    pub fn unknown(&self, known: &[&str]) -> Error {
        config(format!("unknown option `{}`; there are {}", self.name, known.join(", ")))
    }

    /// The error for a value that the adapter does not take. `why` follows option and value.
    pub fn refuse(&self, why: &str) -> Error {
        config(format!("the option `{}={}` {why}", self.name, self.value))
    }
}

fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Decodes `%` and two hexadecimal digits.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(config(format!(
                "{text}: two hexadecimal digits have to follow a `%`; write the `%` itself as %25"
            )));
        };
        bytes.extend(u8::try_from(high * 16 + low));
        rest = &after[2..];
    }
    match String::from_utf8(bytes) {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded),
        Ok(_) => Err(config(format!("{text}: %00 is in no path and no value"))),
        Err(_) => Err(config(format!("{text}: what is written with `%` is not UTF-8"))),
    }
}

fn config(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> String {
        FileUrl::parse("sqlite", url).expect(url).path().to_owned()
    }

    fn refusal(url: &str) -> String {
        let error = FileUrl::parse("sqlite", url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    fn option(text: &str) -> UrlOption {
        FileUrl::parse("x", &format!("x:y?{text}")).expect(text).options()[0].clone()
    }

    #[test]
    fn a_path_is_decoded_and_ends_at_the_options() {
        assert_eq!(path("sqlite:app.db"), "app.db");
        assert_eq!(path("sqlite://app.db"), "app.db");
        assert_eq!(path("sqlite:///var/app.db"), "/var/app.db");
        assert_eq!(path(r"sqlite:C:\app.db"), r"C:\app.db");
        assert_eq!(path("sqlite:a+b c.db?x=1"), "a+b c.db");
        assert_eq!(path("sqlite:100%25%3f%23%C3%A9.db"), "100%?#é.db");
    }

    #[test]
    fn another_scheme_is_refused_and_not_quoted() {
        assert_eq!(path("SQLite:app.db"), "app.db");
        for url in ["app.db", "redis://:secret@host", ""] {
            assert_eq!(refusal(url), "the URL has to begin with `sqlite:`");
        }
    }

    #[test]
    fn options_are_in_order_and_decoded() {
        let url = FileUrl::parse("x", "x:y?b=1%262&a==").expect("a URL");
        let options: Vec<_> = url.options().iter().map(|o| (o.name(), o.value())).collect();
        assert_eq!(options, [("b", "1&2"), ("a", "=")]);
    }

    #[test]
    fn what_has_to_be_encoded_is_named() {
        assert!(refusal("sqlite:a#b").contains("`#` of a path or value as %23"));
        assert!(refusal("sqlite:50%").contains("write the `%` itself as %25"));
        assert!(refusal("sqlite:50%.db").contains("%25"));
        assert!(refusal("sqlite:%ff").contains("not UTF-8"));
        assert!(refusal("sqlite:%00").contains("%00"));
        assert!(refusal("sqlite:really?.db").contains("write it as %3F"));
    }

    #[test]
    fn a_missing_path_says_what_to_write() {
        for url in ["sqlite:", "sqlite://", "sqlite:?mode=rw"] {
            assert_eq!(
                refusal(url),
                "no path after `sqlite:`: write `sqlite:app` for a store in files, or `memory:` for \
                 one in memory"
            );
        }
    }

    #[test]
    fn an_option_that_is_set_twice_is_refused() {
        assert_eq!(refusal("sqlite:y?a=1&a=1"), "the option `a=1` is set twice");
    }

    #[test]
    fn values_have_types() {
        assert_eq!(option("a=7").number().ok(), Some(7));
        assert_eq!(option("a=7").bytes().ok(), Some(7));
        assert_eq!(option("a=2MiB").bytes().ok(), Some(2 << 20));
        assert_eq!(option("a=5s").duration().ok(), Some(Duration::from_secs(5)));
        assert_eq!(option("a=10min").duration().ok(), Some(Duration::from_secs(600)));
        assert_eq!(option("a=TRUE").boolean().ok(), Some(true));
        assert!(option("a=+7").number().is_err());
        for wrong in ["a=", "a=-1", "a=1MB", "a=99999999999999999999", "a=17179869184GiB"] {
            assert!(option(wrong).bytes().is_err(), "{wrong}");
        }
        for wrong in ["a=", "a=5", "a=5h", "a=-5s", "a=1e3ms", "a=18446744073709551615min"] {
            assert!(option(wrong).duration().is_err(), "{wrong}");
        }
        let error = option("a=maybe").boolean().expect_err("neither");
        assert_eq!(error.to_string(), "the option `a=maybe` is not true or false");
    }
}
