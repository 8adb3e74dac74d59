//! Where two documents differ.

use std::fmt;

use serde_json::Value;

use crate::model::VERSION_MEMBER;

/// A place in which two documents differ.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// Where: `.cards[3].$ref`.
    pub path: String,
    /// What is there in the first document, if anything is.
    pub before: Option<Value>,
    /// What is there in the second, if anything is.
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        write!(f, "{}: {} -> {}", self.path, show(&self.before), show(&self.after))
    }
}

/// The places in which two documents differ, by the path of members. Their versions are not
/// compared.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut places = Vec::new();
    compare("", Some(before), Some(after), &mut places);
    places
}

fn compare(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    places: &mut Vec<Difference>,
) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let mut members: Vec<_> = before.keys().chain(after.keys()).collect();
            members.sort();
            members.dedup();
            members.retain(|member| !(path.is_empty() && *member == VERSION_MEMBER));
            for member in members {
                let path = format!("{path}.{member}");
                compare(&path, before.get(member), after.get(member), places);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for n in 0..before.len().max(after.len()) {
                compare(&format!("{path}[{n}]"), before.get(n), after.get(n), places);
            }
        }
        (before, after) if before == after => {}
        (before, after) => places.push(Difference {
            path: path.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_is_named_with_what_is_there() {
        let before = json!({ "$v": 1, "title": "a", "list": [1, 2], "same": { "x": null } });
        let after = json!({ "$v": 2, "name": "a", "list": [1, 3, 4], "same": { "x": null } });
        let shown: Vec<_> = differences(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                ".list[1]: 2 -> 3",
                ".list[2]: nothing -> 4",
                r#".name: nothing -> "a""#,
                r#".title: "a" -> nothing"#,
            ]
        );
    }
}
