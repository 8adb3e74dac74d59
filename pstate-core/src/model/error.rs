//! The one error type of the workspace.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::key::Key;
use super::name::Excerpt;
use super::space::Space;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the program's own, from a closure that it has handed in. `?` makes one of any error.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong, in the few kinds that a caller can act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An expectation about what is stored did not hold: another write came in between.
    Conflict,
    /// An argument is malformed: a key, a preload specification, a document that is no object.
    InvalidInput,
    /// The adapter has declared that it cannot do this.
    Unsupported,
    /// What is stored cannot be read: no JSON, no object, a reference that is no key.
    Corrupt,
    /// A document contradicts the schema, a migration step failed, or the schema itself is wrong.
    Schema,
    /// Something was set up wrongly: a file of another program, a directory without permission.
    Config,
    /// It took longer than allowed. Whether a write happened is unknown.
    Timeout,
    /// The storage cannot be reached or used at the moment.
    Unavailable,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// All of them.
    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; 9] = [
        Self::Conflict,
        Self::InvalidInput,
        Self::Unsupported,
        Self::Corrupt,
        Self::Schema,
        Self::Config,
        Self::Timeout,
        Self::Unavailable,
        Self::Other,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::InvalidInput => "invalid input",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
            Self::Schema => "schema",
            Self::Config => "configuration",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of every fallible operation in PState.
///
/// It says what failed ([`kind`](Error::kind)), in which operation, for which space and key, and
/// carries the error that caused it as its [`source`](StdError::source). It never holds the
/// contents of documents or credentials.
///
/// Cloning is cheap enough to hand one failure to every task that waited for it.
#[derive(Debug, Clone)]
pub struct Error {
    repr: Box<Repr>,
}

#[derive(Debug, Clone)]
struct Repr {
    kind: ErrorKind,
    retryable: bool,
    message: String,
    operation: Option<&'static str>,
    space: Option<Space>,
    key: Option<Key>,
    /// How a preload came to what failed.
    path: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that must not be retried.
    ///
    /// The message says what is wrong and, where it is not obvious, what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            repr: Box::new(Repr {
                kind,
                retryable: false,
                message: message.into(),
                operation: None,
                space: None,
                key: None,
                path: None,
                source: None,
            }),
        }
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn schema(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, message)
    }

    /// Declares that nothing happened and that trying again may help.
    pub fn retryable(mut self) -> Self {
        self.repr.retryable = true;
        self
    }

    /// Names the operation that failed, unless one nearer to the cause is named already.
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        self.repr.operation.get_or_insert(operation);
        self
    }

    /// Names the method that the program called, in place of what it has called in turn.
    pub(crate) fn of_operation(mut self, operation: &'static str) -> Self {
        self.repr.operation = Some(operation);
        self
    }

    /// Names the space that was worked on, unless one is named already.
    pub fn in_space(mut self, space: &Space) -> Self {
        self.repr.space.get_or_insert_with(|| space.clone());
        self
    }

    /// Names the key that was worked on, unless one is named already.
    pub fn at_key(mut self, key: &Key) -> Self {
        self.repr.key.get_or_insert_with(|| key.clone());
        self
    }

    /// Takes key and space away: those of PState's own notes mean nothing to the program.
    pub(crate) fn without_place(mut self) -> Self {
        (self.repr.key, self.repr.space) = (None, None);
        self
    }

    /// Names the path of fields that a preload followed from its root to what failed.
    pub(crate) fn on_path(mut self, path: &str, root: &Key) -> Self {
        let path = Excerpt(path);
        self.repr.path.get_or_insert_with(|| format!("path `{path}` from {root}"));
        self
    }

    /// Keeps the error that caused this one.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.repr.source = Some(Arc::from(source.into()));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.repr.kind
    }

    /// Whether trying the same call again is safe and may help.
    ///
    /// The adapter decides this where the error arises; layers and callers only read it. A write of
    /// unknown effect is never retryable: trying again might do it twice.
    pub fn is_retryable(&self) -> bool {
        self.repr.retryable
    }

    /// Whether the same call may succeed later. It says nothing about the effect of a write: only
    /// what may be written twice is repeated on it.
    pub(crate) fn is_transient(&self) -> bool {
        self.is_retryable() || matches!(self.kind(), ErrorKind::Timeout | ErrorKind::Unavailable)
    }

    /// Whether a write that failed like this may take effect after its error was reported.
    pub(crate) fn is_indeterminate(&self) -> bool {
        use ErrorKind::{Other, Timeout, Unavailable};
        !self.is_retryable() && matches!(self.kind(), Timeout | Unavailable | Other)
    }

    /// The key that the operation failed for, if it was one.
    pub fn key(&self) -> Option<&Key> {
        self.repr.key.as_ref()
    }

    /// The space that the operation worked on, if it was one.
    pub fn space(&self) -> Option<&Space> {
        self.repr.space.as_ref()
    }

    /// The operation that failed, e.g. `multi_get`.
    pub fn operation(&self) -> Option<&'static str> {
        self.repr.operation
    }

    /// The message alone, without operation, space, key and cause.
    pub fn message(&self) -> &str {
        &self.repr.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repr = &*self.repr;
        if let Some(operation) = repr.operation {
            write!(f, "{operation}: ")?;
        }
        if let Some(key) = &repr.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&repr.message)?;
        if let Some(path) = &repr.path {
            write!(f, " ({path})")?;
        }
        if let Some(space) = repr.space.as_ref().filter(|space| !space.is_default()) {
            write!(f, " (space {space})")?;
        }
        if let Some(source) = &repr.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.repr.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
