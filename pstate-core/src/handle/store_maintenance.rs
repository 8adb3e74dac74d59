//! Looking after the store of a handle.

use std::path::Path;

use super::pstate::PState;
use crate::model::{Error, ErrorKind, Result};
use crate::storage::Maintenance;

impl PState {
    /// Backups, checks and cleaning of the whole store, with all its spaces.
    ///
    /// | store | [`backup`] | [`verify`] | [`compact`] | [`checkpoint`] |
    /// |---|---|---|---|---|
    /// | SQLite | yes | yes | yes | yes |
    /// | sled | yes | yes | no | yes |
    /// | Redis, memory | no | no | no | no |
    ///
    /// [`backup`]: StoreMaintenance::backup
    /// [`verify`]: StoreMaintenance::verify
    /// [`compact`]: StoreMaintenance::compact
    /// [`checkpoint`]: StoreMaintenance::checkpoint
    ///
    /// ```
    /// use pstate_core::{ErrorKind, PState, Result};
    ///
    /// async fn every_night(pstate: &PState) -> Result<()> {
    ///     let maintenance = pstate.maintenance()?;
    ///     for problem in maintenance.verify().await? {
    ///         eprintln!("{problem}");
    ///     }
    ///     maintenance.backup("tonight.db").await
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # use std::sync::Arc;
    /// # use pstate_core::MemoryAdapter;
    /// let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build()?;
    /// let error = every_night(&pstate).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported); // memory has nothing to look after
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) if the store can do none of it.
    pub fn maintenance(&self) -> Result<StoreMaintenance> {
        let adapter = self.engine().adapter();
        if adapter.extensions().maintenance.is_some() {
            return Ok(StoreMaintenance { pstate: self.clone() });
        }
        let message = format!("the {} store has no backups, checks or compaction", adapter.name());
        let call = self.call("maintenance", None).of_store();
        Err(call.locate(Error::new(ErrorKind::Unsupported, message)))
    }
}

/// Looks after the store of a handle: [`PState::maintenance`].
///
/// Each method fails as [`Unsupported`](ErrorKind::Unsupported) if the store cannot do that, and as
/// [`Unavailable`](ErrorKind::Unavailable) if the handle is closed. Dropping a future may leave the
/// work running in the background; what is stored is not affected.
#[derive(Debug, Clone)]
pub struct StoreMaintenance {
    pstate: PState,
}

impl StoreMaintenance {
    /// Copies everything that was acknowledged before into a new store at `target`, while reads and
    /// writes continue. The copy is complete when it has its name, and is opened like any store.
    ///
    /// Documents that reads have migrated, and that wait to be written back, are in it as they are
    /// stored; call [`flush`](PState::flush) before to have them migrated.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if `target` exists or its directory does not.
    ///
    /// # Cost
    /// Reads and writes the whole store.
    pub async fn backup(&self, target: impl AsRef<Path>) -> Result<()> {
        let backup = async { self.store()?.backup(target.as_ref()).await };
        self.pstate.call("backup", None).of_store().run(backup).await
    }

    /// Lists what is wrong with the store, beneath the documents: nothing if it is sound.
    ///
    /// # Cost
    /// Reads the whole store.
    pub async fn verify(&self) -> Result<Vec<String>> {
        let verify = async { self.store()?.verify().await };
        self.pstate.call("verify", None).of_store().run(verify).await
    }

    /// Returns space that no document uses to the system.
    ///
    /// # Cost
    /// Reads and writes the whole store; writes wait meanwhile.
    pub async fn compact(&self) -> Result<()> {
        let compact = async { self.store()?.compact().await };
        self.pstate.call("compact", None).of_store().run(compact).await
    }

    /// Moves what was acknowledged before to where it survives most: for a store with a log, from
    /// the log into the main file.
    pub async fn checkpoint(&self) -> Result<()> {
        let checkpoint = async { self.store()?.checkpoint().await };
        self.pstate.call("checkpoint", None).of_store().run(checkpoint).await
    }

    fn store(&self) -> Result<&dyn Maintenance> {
        let engine = self.pstate.engine();
        engine.check_open()?;
        engine.adapter().extensions().maintenance.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the store no longer offers maintenance")
        })
    }
}
