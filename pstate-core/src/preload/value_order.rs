//! The order of JSON values.

use std::cmp::Ordering;

use serde_json::Value;

/// The order of two values of one kind; `None` for values that have none.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            (Some(a), None) => Some(compare_exactly(a, b.as_f64()?)),
            (None, Some(b)) => Some(compare_exactly(b, a.as_f64()?).reverse()),
            (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Without rounding the whole number, so that the order of three is the same whichever two are
/// compared.
fn compare_exactly(whole: i128, float: f64) -> Ordering {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates beyond all whole numbers of JSON"
    )]
    let truncated = float.trunc() as i128;
    whole.cmp(&truncated).then(0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

/// Where a kind of values stands among the others.
pub(super) fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        Value::Array(_) | Value::Object(_) => 3,
        Value::Null => 4,
    }
}
