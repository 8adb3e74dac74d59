//! Which documents may be written: those that every read can read.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::error::{Error, Result};
use super::json::{
    MemberName, NUMBER_MEMBER, NumberText, VERSION_MEMBER, Version, expect_object, syntax_problem,
    without_content,
};

/// The deepest nesting of objects and arrays in a document that is written: `serde_json` builds no
/// deeper trees.
pub(crate) const MAX_DEPTH: usize = 127;

/// From how many members on their names are compared by hash.
const MANY_MEMBERS: usize = 16;

/// Checks a text that a program wants to store; returns its `$v`.
///
/// It refuses what a read would refuse later: a member that is written twice in one object, a
/// number beyond the range of a double, half of a surrogate pair, more than [`MAX_DEPTH`] levels.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), with the member and the reason.
pub(crate) fn validate_written(text: &str) -> Result<Option<u32>> {
    expect_object(text).map_err(|error| Error::invalid_input(error.message()))?;
    let mut state = State::default();
    let mut json = serde_json::Deserializer::from_str(text);
    match Check::<false>(&mut state).deserialize(&mut json).and_then(|()| json.end()) {
        Ok(()) => Ok(state.version),
        Err(error) => Err(Error::invalid_input(explain(text, &error))),
    }
}

/// What is wrong, and where: a second check, which notes its path.
#[cold]
fn explain(text: &str, error: &serde_json::Error) -> String {
    let mut state = State::default();
    let checked =
        Check::<true>(&mut state).deserialize(&mut serde_json::Deserializer::from_str(text));
    state.describe(text, checked.as_ref().err().unwrap_or(error))
}

/// Whether a valid JSON text is nested more deeply than [`MAX_DEPTH`].
pub(crate) fn is_too_deep(text: &str) -> bool {
    let opening = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opening <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Where the check is, and what it has found.
#[derive(Default)]
struct State<'de> {
    path: Vec<Place<'de>>,
    depth: usize,
    /// The names of the members of all objects that the check is in, the innermost last.
    names: Vec<Cow<'de, str>>,
    version: Option<u32>,
}

enum Place<'de> {
    Member(Cow<'de, str>),
    Item(usize),
}

/// Begins the messages of the check itself.
const OWN: &str = "refused: ";

/// How much of a path a message shows.
const MAX_PATH: usize = 200;

impl State<'_> {
    /// What is wrong, and in which member: the check has stopped there.
    fn describe(&self, text: &str, error: &serde_json::Error) -> String {
        let message = error.to_string();
        let why = if message.starts_with("recursion limit exceeded") {
            format!("nested more than {MAX_DEPTH} levels deep")
        } else if message.starts_with("number out of range") {
            "the number is beyond the range of a double".to_owned()
        } else if message.contains("surrogate") || message.starts_with("unexpected end of hex") {
            "half of a surrogate pair is no text".to_owned()
        } else if let Some(own) = message.strip_prefix(OWN) {
            own.split(" at line ").next().unwrap_or_default().to_owned()
        } else {
            return match error.classify() {
                Category::Data => without_content(error),
                _ => format!("not valid JSON: {}", syntax_problem(text, error)),
            };
        };
        if self.path.is_empty() { why } else { format!("member `{}`: {why}", self.shown_path()) }
    }

    fn shown_path(&self) -> String {
        use fmt::Write as _;

        let mut path = String::new();
        for place in &self.path {
            match place {
                Place::Member(name) if path.is_empty() => path.push_str(name),
                Place::Member(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Place::Item(at) => _ = write!(path, "[{at}]"),
            }
            if path.len() > MAX_PATH {
                path = path.chars().take(MAX_PATH).chain("...".chars()).collect();
                break;
            }
        }
        path
    }
}

/// Checks one value; with `NOTES_PATH` the path of what is refused is left in the state.
struct Check<'s, 'de, const NOTES_PATH: bool>(&'s mut State<'de>);

impl<'de, const NOTES_PATH: bool> DeserializeSeed<'de> for Check<'_, 'de, NOTES_PATH> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const NOTES_PATH: bool> Visitor<'de> for Check<'_, 'de, NOTES_PATH> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let state = self.0;
        state.depth += 1;
        let mut at = 0;
        loop {
            if NOTES_PATH {
                state.path.push(Place::Item(at));
            }
            let item = seq.next_element_seed(Check::<NOTES_PATH>(&mut *state))?;
            if NOTES_PATH {
                state.path.pop();
            }
            if item.is_none() {
                state.depth -= 1;
                return Ok(());
            }
            at += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.0;
        let is_root = state.depth == 0;
        state.depth += 1;
        let first = state.names.len();
        let mut many = HashSet::new();
        while let Some(MemberName(name)) = map.next_key::<MemberName<'de>>()? {
            if name == NUMBER_MEMBER {
                let NumberText(number) = map.next_value()?;
                if !number.parse().is_ok_and(f64::is_finite) {
                    return Err(A::Error::custom("number out of range"));
                }
                break;
            }
            let names = &state.names[first..];
            let is_new = if names.len() < MANY_MEMBERS {
                !names.contains(&name)
            } else {
                if many.is_empty() {
                    many.extend(names.iter().cloned());
                }
                many.insert(name.clone())
            };
            if NOTES_PATH {
                state.path.push(Place::Member(name.clone()));
            }
            if !is_new {
                return Err(A::Error::custom(format_args!("{OWN}it is written twice")));
            }
            let is_version = is_root && name == VERSION_MEMBER;
            state.names.push(name);
            if is_version {
                state.version = Some(map.next_value::<Version>()?.0);
            } else {
                map.next_value_seed(Check::<NOTES_PATH>(&mut *state))?;
            }
            if NOTES_PATH {
                state.path.pop();
            }
        }
        state.names.truncate(first);
        state.depth -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str) -> String {
        validate_written(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn what_any_read_refuses_is_refused_with_its_place() {
        assert_eq!(refused(r#"{"a":1,"b":{"c":2,"c":3}}"#), "member `b.c`: it is written twice");
        assert_eq!(
            refused(r#"{"a":[0,{"x":1e999}]}"#),
            "member `a[1].x`: the number is beyond the range of a double"
        );
        assert_eq!(refused(r#"{"a":"\ud800"}"#), "member `a`: half of a surrogate pair is no text");
        assert_eq!(
            refused(r#"{"a":{"\udc00":1}}"#),
            "member `a`: half of a surrogate pair is no text"
        );
        assert!(refused(r#"{"a":1,}"#).starts_with("not valid JSON"));
        assert!(refused(r#"{"$v":-1}"#).contains("$v to be a whole number"));
        assert!(refused(r#"{"n":{"$serde_json::private::Number":"1"}}"#).contains("reserved"));
        let many: Vec<String> = (0..40).map(|n| format!("\"m{n}\":0")).collect();
        let again = format!("{{{},\"m39\":1}}", many.join(","));
        assert_eq!(refused(&again), "member `m39`: it is written twice");
    }

    #[test]
    fn trees_may_be_as_deep_as_serde_json_builds_them() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}0{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        for (levels, fits) in [(1, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
            let text = nested(levels);
            assert_eq!(validate_written(&text).is_ok(), fits, "{levels}");
            assert_eq!(is_too_deep(&text), !fits, "{levels}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), fits, "{levels}");
        }
        assert!(refused(&nested(100_000)).contains("nested more than 127 levels deep"));
        assert!(!is_too_deep(&format!(r#"{{"a":"\"{}"}}"#, "[".repeat(200))));
    }

    #[test]
    fn the_version_is_the_one_of_the_document() {
        assert_eq!(validate_written(r#"{"a":{"$v":9},"$v":4}"#).unwrap(), Some(4));
        assert_eq!(validate_written("{}").unwrap(), None);
        assert_eq!(
            validate_written(r#"{"a":[1,-1,0.5,true,null,"x",{"a":{"a":1}}],"b":{"a":1}}"#)
                .unwrap(),
            None
        );
    }
}
