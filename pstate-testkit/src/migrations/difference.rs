//! Where two documents differ.

use serde_json::Value;

/// The places in which `got` differs from `expected`, by the path of members; `None` if nowhere.
/// The version is not compared.
pub(super) fn difference(expected: &Value, got: &Value) -> Option<String> {
    let mut places = Vec::new();
    compare("", Some(expected), Some(got), &mut places);
    let more = places.len().saturating_sub(SHOWN);
    places.truncate(SHOWN);
    if more > 0 {
        places.push(format!("and {more} more"));
    }
    (!places.is_empty()).then(|| places.join("; "))
}

const SHOWN: usize = 5;

fn compare(path: &str, expected: Option<&Value>, got: Option<&Value>, places: &mut Vec<String>) {
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            let mut members: Vec<_> = expected.keys().chain(got.keys()).collect();
            members.sort();
            members.dedup();
            members.retain(|member| !(path.is_empty() && *member == "$v"));
            for member in members {
                let path = format!("{path}.{member}");
                compare(&path, expected.get(member), got.get(member), places);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for n in 0..expected.len().max(got.len()) {
                compare(&format!("{path}[{n}]"), expected.get(n), got.get(n), places);
            }
        }
        (expected, got) if expected == got => {}
        (expected, got) => {
            let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            places.push(format!("{path}: expected {}, got {}", show(expected), show(got)));
        }
    }
}
