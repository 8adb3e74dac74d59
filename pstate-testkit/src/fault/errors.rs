//! The errors of calls with a fault.

use pstate_core::{Error, ErrorKind};

use super::call::Call;

/// The error of a call that never reached the adapter.
pub(super) fn not_reached(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message).retryable()
}

/// The error of a call that took effect, or may still do so: retryable only if the call changes
/// nothing.
pub(super) fn indeterminate(call: Call, kind: ErrorKind, message: &'static str) -> Error {
    let error = Error::new(kind, message);
    if call.has_effect() { error } else { error.retryable() }
}
