use std::io;

use tokio::runtime::{Builder, Runtime};

/// The runtime of a case, or of a child process: two workers, so that races can happen.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
