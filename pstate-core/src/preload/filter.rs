//! Choosing and ordering documents by what they hold.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::spec::Order;
use crate::document::Document;
use crate::error::Result;

/// A condition on a document.
#[derive(Clone)]
pub struct Filter(Condition);

#[derive(Clone)]
enum Condition {
    Field { field: String, comparison: Comparison, value: Value },
    Closure(Arc<dyn Fn(&Document) -> bool + Send + Sync>),
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn holds(self, ordering: Option<Ordering>) -> bool {
        match (self, ordering) {
            (Self::Equal, ordering) => ordering == Some(Ordering::Equal),
            (Self::NotEqual, ordering) => ordering != Some(Ordering::Equal),
            (_, None) => false,
            (Self::Less, Some(ordering)) => ordering.is_lt(),
            (Self::LessOrEqual, Some(ordering)) => ordering.is_le(),
            (Self::Greater, Some(ordering)) => ordering.is_gt(),
            (Self::GreaterOrEqual, Some(ordering)) => ordering.is_ge(),
        }
    }
}

impl Filter {
    /// Compares a field with a value. Numbers with numbers, text with text by its bytes; values of
    /// different kinds are only ever unequal. A missing field counts as null.
    pub fn field(field: &str, comparison: Comparison, value: impl Into<Value>) -> Self {
        Self(Condition::Field { field: field.to_owned(), comparison, value: value.into() })
    }

    /// Asks a closure.
    pub fn closure(holds: impl Fn(&Document) -> bool + Send + Sync + 'static) -> Self {
        Self(Condition::Closure(Arc::new(holds)))
    }

    pub(super) fn holds(&self, document: &Document) -> Result<bool> {
        match &self.0 {
            Condition::Closure(holds) => Ok(holds(document)),
            Condition::Field { field, comparison, value } => {
                let found = document.get(field)?.unwrap_or(&Value::Null);
                Ok(comparison.holds(compare(found, value)))
            }
        }
    }
}

/// The order of two values of one kind; `None` for values that have none.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
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

impl Order {
    /// Sorts documents; those that the field does not tell apart stay in their order.
    pub(super) fn sort(&self, documents: &mut Vec<&Document>) -> Result<()> {
        let mut keyed = Vec::with_capacity(documents.len());
        for &document in documents.iter() {
            keyed.push((document.get(&self.field)?.unwrap_or(&Value::Null), document));
        }
        keyed.sort_by(|(a, _), (b, _)| self.compare(a, b));
        documents.clear();
        documents.extend(keyed.into_iter().map(|(_, document)| document));
        Ok(())
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        if a.is_null() || b.is_null() {
            return a.is_null().cmp(&b.is_null());
        }
        let ordering = rank(a).cmp(&rank(b)).then_with(|| compare(a, b).unwrap_or(Ordering::Equal));
        if self.descending { ordering.reverse() } else { ordering }
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        Value::Array(_) | Value::Object(_) => 3,
        Value::Null => 4,
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (
                Condition::Field { field, comparison, value },
                Condition::Field { field: f, comparison: c, value: v },
            ) => (field, comparison, value) == (f, c, v),
            (Condition::Closure(a), Condition::Closure(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Condition::Closure(_) => f.write_str("<closure>"),
            Condition::Field { field, comparison, value } => {
                write!(f, "{field} {comparison} {value}")
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = Self::ALL.iter().find(|(_, comparison)| comparison == self);
        f.write_str(symbol.map_or("", |(symbol, _)| symbol))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({self})")
    }
}
