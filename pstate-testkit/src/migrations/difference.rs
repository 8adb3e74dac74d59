use pstate_core::difference::differences;
use serde_json::Value;

/// The number of places shown.
const SHOWN: usize = 5;

/// Describes where `got` differs from `expected`, by the paths of members; `None` if nowhere. The
/// version is not compared.
pub(super) fn difference(expected: &Value, got: &Value) -> Option<String> {
    let show = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_string);
    let places = differences(expected, got);
    let more = places.len().saturating_sub(SHOWN);
    let mut shown: Vec<_> = places
        .iter()
        .take(SHOWN)
        .map(|place| {
            let (path, expected, got) = (&place.path, show(&place.before), show(&place.after));
            format!("{path}: expected {expected}, got {got}")
        })
        .collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    (!shown.is_empty()).then(|| shown.join("; "))
}
