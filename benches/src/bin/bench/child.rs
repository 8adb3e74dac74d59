//! What a process does that a suite starts.

use clap::Args;
use pstate_benches::Result;
use serde::de::DeserializeOwned;

/// The task of this process, if a suite has started it as a
/// [`ChildProcess`](pstate_benches::process::ChildProcess).
#[derive(Debug, Args)]
pub(crate) struct Child {
    #[arg(long = "child", value_name = "JSON", hide = true)]
    task: Option<String>,
}

impl Child {
    /// The task; `None` in the process that a user starts.
    pub(crate) fn task<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(self.task.as_deref().map(serde_json::from_str).transpose()?)
    }
}
