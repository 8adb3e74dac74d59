use std::fmt;

use pstate_core::{ErrorKind, Outcome};

/// The kind of an [`Outcome`], for comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutcomeKind {
    Stored,
    Deleted,
    Conflict,
    Aborted,
    Failed(ErrorKind),
}

impl OutcomeKind {
    pub(super) fn all(outcomes: &[Outcome]) -> Vec<Self> {
        outcomes.iter().map(Self::from).collect()
    }
}

impl From<&Outcome> for OutcomeKind {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Stored(_) => Self::Stored,
            Outcome::Deleted => Self::Deleted,
            Outcome::Conflict => Self::Conflict,
            Outcome::Aborted => Self::Aborted,
            Outcome::Failed(error) => Self::Failed(error.kind()),
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
