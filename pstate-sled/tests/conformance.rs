//! The sled adapter keeps the contract, whenever it flushes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use async_trait::async_trait;
use pstate_core::{Adapter, Error, ErrorKind, Key, Result, Space};
use pstate_sled::{Flush, SledAdapter, SledConfig};
use pstate_testkit::conformance::Harness;

struct Sled(Flush);

impl Sled {
    /// The same in a child process, so no temporary directory of this one.
    fn path(id: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{id}.sled"))
    }
}

#[async_trait]
impl Harness for Sled {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        let config = SledConfig::default().flush(self.0).busy_timeout(Duration::from_secs(2));
        Ok(Arc::new(SledAdapter::open_with(Self::path(id), config)?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        loop {
            match fs::remove_dir_all(Self::path(id)) {
                // A store that was only dropped is still being closed, and writes a last file.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::new(ErrorKind::Other, "not removed").caused_by(error));
                }
                _ => return Ok(()),
            }
        }
    }

    /// A key that is none, as only another program can write it.
    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let damage = || -> sled::Result<bool> {
            let db = sled::open(Self::path(id))?;
            let tree = db.open_tree("pstate")?;
            let Some(value) = tree.remove(format!("{space}\0{key}"))? else { return Ok(false) };
            let damaged = key.as_str().replace(':', " ");
            tree.insert(format!("{space}\0{damaged}"), value)?;
            tree.flush()?;
            Ok(true)
        };
        damage().map_err(|error| Error::new(ErrorKind::Other, "damage").caused_by(error))
    }
}

pstate_testkit::conformance!(
    "every_write" => Sled(Flush::EveryWrite),
    "every_10_ms" => Sled(Flush::Every(Duration::from_millis(10))),
);
