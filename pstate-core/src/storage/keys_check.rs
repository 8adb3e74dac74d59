//! What an adapter refuses before it reads.

use super::capabilities::Capabilities;
use crate::model::{Error, ErrorKind, Key, Result};

impl Capabilities {
    /// Refuses more keys than an adapter with these capabilities reads in one call. Adapters with a
    /// [`max_batch`](Self::max_batch) call this first in [`multi_get`](crate::Adapter::multi_get).
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub fn check_keys(&self, keys: &[Key]) -> Result<()> {
        match self.max_batch {
            Some(max) if keys.len() > max.get() => {
                let why = format!("{} keys in a read; this store takes at most {max}", keys.len());
                Err(Error::new(ErrorKind::Unsupported, why))
            }
            _ => Ok(()),
        }
    }
}
