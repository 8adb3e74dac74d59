//! Assertions of cases.

use std::fmt;

use super::case_error::{CaseError, CaseResult};

/// Checks that two values are equal. `what` names them in the report.
pub(super) fn ensure_eq<T: PartialEq + fmt::Debug + ?Sized>(
    what: &str,
    expected: &T,
    got: &T,
) -> CaseResult {
    if expected == got {
        return Ok(());
    }
    Err(CaseError::mismatch(format_args!("{what}: {expected:?}"), format_args!("{got:?}")))
}

/// Checks a condition. `got` describes what holds instead.
pub(super) fn ensure(holds: bool, expected: &str, got: impl fmt::Display) -> CaseResult {
    if holds { Ok(()) } else { Err(CaseError::mismatch(expected, got)) }
}
