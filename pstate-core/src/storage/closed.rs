//! The error of a store that was closed.

use crate::model::{Error, ErrorKind};

impl Error {
    /// The error of every call of an adapter after [`close`](crate::Adapter::close).
    pub fn store_closed() -> Self {
        Self::new(ErrorKind::Unavailable, "the store is closed")
    }
}
