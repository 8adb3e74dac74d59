//! Looking after a store as a whole.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;

use crate::model::{Error, ErrorKind, Result};

/// What an adapter can do for its store as a whole. An adapter implements what its storage engine
/// has; the other methods fail as [`Unsupported`](ErrorKind::Unsupported) and change nothing.
///
/// None of these methods changes a record. Programs call them by
/// [`PState::maintenance`](crate::PState::maintenance).
///
/// # Cancel safety
/// Dropping a future may leave the work running in the background; what is stored is not affected.
#[async_trait]
pub trait Maintenance: fmt::Debug + Send + Sync {
    /// Copies everything that was acknowledged before the call into a new store at `target`, while
    /// reads and writes continue. The copy gets its name when it is complete, and the same adapter
    /// can open it.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if `target` exists, or cannot be created.
    async fn backup(&self, target: &Path) -> Result<()> {
        let _ = target;
        unsupported("backups")
    }

    /// Reads the whole store, and lists what is wrong with it: nothing if it is sound. The texts
    /// quote no values.
    ///
    /// # Errors
    /// Only if the check could not be made.
    async fn verify(&self) -> Result<Vec<String>> {
        unsupported("a check of its integrity")
    }

    /// Returns space that no record uses to the system. Writes wait meanwhile.
    async fn compact(&self) -> Result<()> {
        unsupported("compaction")
    }

    /// Moves what was acknowledged before to where it survives most: for a store with a log, from
    /// the log into the main file.
    async fn checkpoint(&self) -> Result<()> {
        unsupported("checkpoints")
    }
}

fn unsupported<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, format!("the store has no {what}")))
}
