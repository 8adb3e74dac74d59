use std::fmt;

use pstate_core::Error;
use tokio::task::JoinError;

/// The result of a step of a case.
pub(super) type CaseResult<T = ()> = Result<T, CaseError>;

/// Why a case did not pass.
#[derive(Debug)]
pub(super) enum CaseError {
    /// The adapter violates the contract.
    Violated(Mismatch),
    /// The case does not apply, for this reason.
    Ignored(String),
}

/// What the contract demands, and what the adapter did.
#[derive(Debug, Clone)]
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) got: String,
    /// The operations that show it; `None` for the whole log.
    pub(super) operations: Option<Vec<String>>,
    /// The seed of the round that showed it.
    pub(super) seed: Option<u64>,
}

impl CaseError {
    /// A violation of the contract.
    pub(super) fn mismatch(expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::Violated(Mismatch {
            expected: expected.to_string(),
            got: got.to_string(),
            operations: None,
            seed: None,
        })
    }

    /// The case does not apply, for this reason.
    pub(super) fn ignored(reason: impl Into<String>) -> Self {
        Self::Ignored(reason.into())
    }

    /// Shows only these operations of the log.
    pub(super) fn with_operations(self, operations: Vec<String>) -> Self {
        self.edit(|mismatch| mismatch.operations = Some(operations))
    }

    /// Shows these operations unless others were chosen.
    pub(super) fn or_operations(self, operations: impl FnOnce() -> Vec<String>) -> Self {
        self.edit(|mismatch| {
            mismatch.operations.get_or_insert_with(operations);
        })
    }

    /// Names the seed of the round that failed, so that the replay runs only that round.
    pub(super) fn with_seed(self, seed: u64) -> Self {
        self.edit(|mismatch| mismatch.seed = Some(seed))
    }

    fn edit(mut self, edit: impl FnOnce(&mut Mismatch)) -> Self {
        if let Self::Violated(mismatch) = &mut self {
            edit(mismatch);
        }
        self
    }
}

/// The adapter failed where it must not.
impl From<Error> for CaseError {
    fn from(error: Error) -> Self {
        Self::mismatch("success", format_args!("an error ({}): {error}", error.kind()))
    }
}

/// A task of the case panicked.
impl From<JoinError> for CaseError {
    fn from(error: JoinError) -> Self {
        Self::mismatch("no panic", error)
    }
}
