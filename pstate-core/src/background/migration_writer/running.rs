//! The migration writer's task, as the handle sees it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::command::Command;
use super::config::MigrationWriter;
use super::task::Task;
use crate::engine::Engine;
use crate::model::{Error, ErrorKind, Result};
use crate::telemetry::FlushReport;

/// The running writer. When it is dropped, its task writes what is queued, and ends.
#[derive(Debug)]
pub(crate) struct RunningWriter {
    commands: mpsc::UnboundedSender<Command>,
}

impl RunningWriter {
    /// Starts the task that empties the engine's queue.
    pub(crate) fn start(config: MigrationWriter, engine: &Arc<Engine>) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        engine.home().spawn(Task::new(engine.clone(), config).run(receiver));
        Self { commands }
    }

    /// Writes everything that is queued now; see [`FlushReport`].
    pub(crate) async fn flush(&self) -> Result<FlushReport> {
        self.send(Command::Flush).await
    }

    /// Writes everything that is queued, within the deadline, and ends the task.
    pub(crate) async fn close(&self) -> Result<FlushReport> {
        self.send(Command::Close).await
    }

    async fn send(
        &self,
        command: impl FnOnce(oneshot::Sender<FlushReport>) -> Command,
    ) -> Result<FlushReport> {
        let stopped = || Error::new(ErrorKind::Unavailable, "the migration writer has stopped");
        let (reply, report) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| stopped())?;
        report.await.map_err(|_| stopped())
    }
}
