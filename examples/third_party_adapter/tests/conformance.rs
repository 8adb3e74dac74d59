//! The contract of adapters, checked by the suite of `pstate-testkit`.

use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{Adapter, Error, ErrorKind, Key, Result, Space};
use pstate_directory::DirectoryAdapter;
use pstate_testkit::conformance::Harness;

#[derive(Debug)]
struct Directory;

/// From the id alone: other processes of the suite have to find the same store.
fn path(id: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(id)
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Other, "the harness failed").caused_by(error)
}

#[async_trait]
impl Harness for Directory {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        Ok(Arc::new(DirectoryAdapter::open(path(id))?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        match fs::remove_dir_all(path(id)) {
            Err(error) if error.kind() == Io::NotFound => Ok(()),
            done => done.map_err(failed),
        }
    }

    /// A directory where the file was: no user can read it, not even root.
    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let file = DirectoryAdapter::open(path(id))?.path(space, key);
        fs::remove_file(&file).and_then(|()| fs::create_dir(&file)).map_err(failed)?;
        Ok(true)
    }
}

pstate_testkit::conformance!(Directory);
