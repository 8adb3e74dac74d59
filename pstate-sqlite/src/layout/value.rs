//! Values as SQLite stores them.

use std::borrow::Cow;
use std::str;
use std::sync::Arc;

use pstate_core::{Record, Revision};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Bytes to store: as TEXT if they are UTF-8, so that SQLite's own JSON functions work on them,
/// otherwise as BLOB. Both are read back byte for byte.
#[derive(Debug)]
pub(crate) struct Stored<'a>(pub(crate) &'a [u8]);

impl ToSql for Stored<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match str::from_utf8(self.0) {
            Ok(_) => ValueRef::Text(self.0),
            Err(_) => ValueRef::Blob(self.0),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// A revision as statements get it.
#[derive(Debug)]
pub(crate) struct StoredRevision([u8; 16]);

impl StoredRevision {
    pub(crate) fn new(revision: Revision) -> Self {
        Self(revision.as_number().to_le_bytes())
    }

    /// Whether a parameter is this one.
    pub(super) fn is(&self, parameter: ValueRef<'_>) -> bool {
        parameter == ValueRef::Blob(&self.0)
    }
}

impl ToSql for StoredRevision {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

/// The bytes of a stored value. Only other programs store numbers; they are read as their text.
pub(crate) fn bytes(value: ValueRef<'_>) -> Cow<'_, [u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cow::Borrowed(bytes),
        ValueRef::Integer(number) => Cow::Owned(number.to_string().into_bytes()),
        ValueRef::Real(number) => Cow::Owned(number.to_string().into_bytes()),
        ValueRef::Null => Cow::Borrowed(b""),
    }
}

pub(crate) fn record(value: ValueRef<'_>) -> Record {
    let bytes: Arc<[u8]> = match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.into(),
        other => bytes(other).into(),
    };
    let revision = Revision::of_content(&bytes);
    Record { bytes, revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_their_text() {
        assert_eq!(&*record(ValueRef::Integer(-7)).bytes, b"-7");
        assert_eq!(&*record(ValueRef::Real(1.5)).bytes, b"1.5");
    }
}
