//! Choosing documents by what they hold.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::value_order::compare;
use crate::document::Document;
use crate::model::{FieldName, Result, Shown};

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
    ///
    /// The value is a string, a number, a boolean or null; a preload that compares with an array or
    /// an object is refused.
    pub fn field(
        field: impl Into<String>,
        comparison: Comparison,
        value: impl Into<Value>,
    ) -> Self {
        Self(Condition::Field { field: field.into(), comparison, value: value.into() })
    }

    /// The [field](Self::field) equals a value.
    pub fn equal(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::Equal, value)
    }

    /// The [field](Self::field) does not equal a value.
    pub fn not_equal(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::NotEqual, value)
    }

    /// The [field](Self::field) is less than a value.
    pub fn less(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::Less, value)
    }

    /// The [field](Self::field) is less than a value, or equals it.
    pub fn less_or_equal(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::LessOrEqual, value)
    }

    /// The [field](Self::field) is greater than a value.
    pub fn greater(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::Greater, value)
    }

    /// The [field](Self::field) is greater than a value, or equals it.
    pub fn greater_or_equal(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(field, Comparison::GreaterOrEqual, value)
    }

    /// Asks a closure.
    pub fn closure(holds: impl Fn(&Document) -> bool + Send + Sync + 'static) -> Self {
        Self(Condition::Closure(Arc::new(holds)))
    }

    /// Why the filter cannot be used, if it cannot.
    pub(super) fn problem(&self) -> Option<String> {
        let Condition::Field { field, value, .. } = &self.0 else { return None };
        let kind = match value {
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
            _ => return None,
        };
        let field = Shown(field);
        Some(format!(
            "has a filter that compares {field} with {kind}: use a string, a number, a boolean or null"
        ))
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

impl Filter {
    pub(super) fn is_closure(&self) -> bool {
        matches!(self.0, Condition::Closure(_))
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
                write!(f, "{} {comparison} {value}", FieldName(field))
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
