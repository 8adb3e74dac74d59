//! facade
pub use pstate_core::*;
