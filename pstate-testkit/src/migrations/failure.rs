use std::fmt;

use super::promise::Promise;

/// A broken promise of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The promise.
    pub promise: Promise,
    /// The document: its type, version and name.
    pub document: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not {}: {}", self.document, self.promise, self.message)
    }
}
