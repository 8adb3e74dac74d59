//! Values, as sled holds them.

use std::sync::Arc;

use pstate_core::{Record, Revision};
use sled::IVec;

pub(crate) fn record(value: &IVec) -> Record {
    Record { bytes: Arc::from(&**value), revision: Revision::of_content(value) }
}
