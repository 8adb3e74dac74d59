//! What a migration loses of a document.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::editor::{Kind, items, kind, members, unquoted};
use crate::model::{Result, VERSION_MEMBER};

/// The members of which something is lost: those that are gone, if some scalar of them is nowhere
/// in what has come or changed, and those that changed, if a number of them had more digits than a
/// double has and is nowhere either.
pub(super) fn lost_members(before: &str, after: &str) -> Result<Vec<String>> {
    let (before, after) = (by_name(before)?, by_name(after)?);
    let mut kept = BTreeSet::new();
    for (name, value) in &after {
        if before.get(name) != Some(value) {
            scalars(value, &mut |scalar| {
                if let Scalar::Text(text) = &scalar
                    && is_number(text)
                {
                    kept.insert(decimal(text));
                }
                kept.insert(scalar.comparable());
            })?;
        }
    }
    let mut lost = Vec::new();
    for (name, value) in &before {
        let is_gone = match after.get(name) {
            Some(now) if now == value => continue,
            now => now.is_none(),
        };
        let mut held = BTreeSet::new();
        scalars(value, &mut |scalar| {
            if is_gone || scalar.is_rounded_by_a_tree() {
                held.insert(scalar.comparable());
            }
        })?;
        if !held.is_subset(&kept) {
            lost.push(name.clone());
        }
    }
    Ok(lost)
}

fn by_name(document: &str) -> Result<BTreeMap<String, &str>> {
    let members = members(document)?.into_iter();
    let members = members.filter(|member| member.name != VERSION_MEMBER);
    Ok(members.map(|member| (member.name.into_owned(), member.value)).collect())
}

/// A scalar of a document.
enum Scalar<'t> {
    Text(Cow<'t, str>),
    /// A number or a boolean, as it is written.
    Other(&'t str),
}

impl Scalar<'_> {
    /// What scalars are compared by: a number that has become text is still there.
    fn comparable(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Other(number) if is_number(number) => decimal(number),
            Self::Other(boolean) => (*boolean).to_owned(),
        }
    }

    /// Whether it is a number with more digits than a tree keeps.
    fn is_rounded_by_a_tree(&self) -> bool {
        let Self::Other(written) = self else { return false };
        let Ok(Value::Number(number)) = serde_json::from_str(written) else { return false };
        let double = || number.as_f64().map(|double| Value::from(double).to_string());
        !number.is_i64()
            && !number.is_u64()
            && double().is_none_or(|double| decimal(&double) != decimal(written))
    }
}

/// Visits the scalars in a value, but for null.
fn scalars(value: &str, visit: &mut impl FnMut(Scalar<'_>)) -> Result<()> {
    match kind(value) {
        Kind::Object => {
            members(value)?.into_iter().try_for_each(|member| scalars(member.value, visit))?;
        }
        Kind::Array => items(value)?.into_iter().try_for_each(|item| scalars(item, visit))?,
        Kind::Scalar if value == "null" => {}
        Kind::Scalar if value.starts_with('"') => visit(Scalar::Text(unquoted(value)?)),
        Kind::Scalar => visit(Scalar::Other(value)),
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Number(_)))
}

/// A number's significant digits and exponent: the same for `12.50`, `12.5` and `1.25e1`.
fn decimal(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let len = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
    let exponent = exponent.saturating_add(len(zeros)).saturating_sub(len(fraction.len()));
    format!("{sign}{significant}e{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_lost_if_what_it_held_is_nowhere_in_what_came_or_changed() {
        let lost = |before: &str, after: &str| lost_members(before, after).unwrap();
        let none: [&str; 0] = [];
        // Renamed, flattened, wrapped, made into text.
        assert_eq!(lost(r#"{"title":"a"}"#, r#"{"name":"a"}"#), none);
        assert_eq!(lost(r#"{"m":{"a":1,"b":[2]}}"#, r#"{"a":1,"b":2}"#), none);
        assert_eq!(lost(r#"{"a":1}"#, r#"{"m":{"a":1}}"#), none);
        assert_eq!(lost(r#"{"n":7,"gone":null}"#, r#"{"number":"7"}"#), none);
        assert_eq!(lost(r#"{"n":12.50}"#, r#"{"m":1.25e1}"#), none);
        assert_eq!(lost(r#"{"n":12.50}"#, r#"{"m":"12.50"}"#), none);
        // Gone; gone but for a part; what stays as it was does not keep it.
        assert_eq!(lost(r#"{"a":1,"b":2}"#, r#"{"b":2}"#), ["a"]);
        assert_eq!(lost(r#"{"m":{"a":1,"b":2}}"#, r#"{"a":1}"#), ["m"]);
        assert_eq!(lost(r#"{"a":1,"b":1}"#, r#"{"b":1}"#), ["a"]);
    }

    #[test]
    fn digits_that_a_double_does_not_have_are_lost_with_it() {
        let lost = |before: &str, after: &str| lost_members(before, after).unwrap();
        let none: [&str; 0] = [];
        assert_eq!(
            lost(r#"{"id":12345678901234567890123}"#, r#"{"id":"1.2345678901234568e+22"}"#),
            ["id"]
        );
        assert_eq!(lost(r#"{"l":[0.30000000000000000001,2]}"#, r#"{"l":[0.3,2]}"#), ["l"]);
        assert_eq!(
            lost(r#"{"id":12345678901234567890123}"#, r#"{"id":"12345678901234567890123"}"#),
            none
        );
        // A change of a number is no loss of digits.
        assert_eq!(lost(r#"{"ms":1500}"#, r#"{"ms":1.5}"#), none);
        assert_eq!(lost(r#"{"n":0.1,"m":18446744073709551615}"#, r#"{"n":7,"m":1}"#), none);
    }
}
