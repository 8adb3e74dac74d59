use std::fmt;

/// A property of migrations that a [`MigrationTest`](super::MigrationTest) asserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Every document migrates, and the result fits the declared types.
    Total,
    /// Every older version that the schema reads has a document.
    Covered,
    /// The result equals the golden file.
    Expected,
    /// Two migrations of one document give the same bytes.
    Deterministic,
    /// Migrating the result again, as if it were old, changes nothing.
    Idempotent,
    /// Members that the schema does not declare survive byte for byte.
    Lossless,
    /// The down-steps give back the original.
    Reversible,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "total",
            Self::Covered => "covered",
            Self::Expected => "as expected",
            Self::Deterministic => "deterministic",
            Self::Idempotent => "idempotent",
            Self::Lossless => "lossless",
            Self::Reversible => "reversible",
        })
    }
}
