//! Where the store of a round is: a directory, a small file system, or servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pstate_testkit::redis::{Cluster, Server};
use tempfile::TempDir;

use crate::backend::Backend;

/// Beyond what any round stores, with room for logs.
const MOST_DISK: u64 = 256 << 20;

#[derive(Debug)]
pub(crate) struct Place {
    backend: Backend,
    pub(crate) server: Option<Server>,
    pub(crate) cluster: Option<Cluster>,
    mounted: bool,
    directory: TempDir,
}

impl Place {
    pub(crate) fn of(backend: Backend) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let server = (backend == Backend::Redis).then(Server::start);
        let cluster = (backend == Backend::Cluster).then(Cluster::start);
        Ok(Self { backend, server, cluster, mounted: false, directory })
    }

    /// In a file system of this size of its own, which only the superuser can make.
    pub(crate) fn small(backend: Backend, mebibytes: u32) -> Result<Self, String> {
        let mut place = Self::of(backend)?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(place.directory.path())
            .status();
        match mount {
            Ok(status) if status.success() => place.mounted = true,
            other => return Err(format!("this fault needs root, to mount a tmpfs ({other:?})")),
        }
        Ok(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        match (&self.server, &self.cluster) {
            (Some(server), _) => format!("redis://127.0.0.1:{}", server.port()),
            (_, Some(cluster)) => format!("redis+cluster://{}", cluster.hosts()),
            _ => self.url_of("app"),
        }
    }

    /// The URL of another file or directory of the same kind.
    pub(crate) fn url_of(&self, name: &str) -> String {
        format!("{}:{}", self.backend, self.path(name).display())
    }

    /// What takes more room on the disk than it may.
    pub(crate) fn excess(&self) -> Option<String> {
        let used = used(self.directory.path());
        (used > MOST_DISK).then(|| format!("{used} bytes on the disk; {MOST_DISK} are expected"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.mounted {
            // Also if a process that cannot be killed still uses it.
            let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
        }
    }
}

fn used(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => used(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
