use std::error;
use std::fmt;

use super::undecided::Undecided;
use super::violation::Violation;

/// Why a check did not accept a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unaccepted {
    /// The history is not linearizable.
    Violation(Violation),
    /// The history may be linearizable or not.
    Undecided(Undecided),
}

impl fmt::Display for Unaccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::Undecided(undecided) => undecided.fmt(f),
        }
    }
}

impl error::Error for Unaccepted {}
