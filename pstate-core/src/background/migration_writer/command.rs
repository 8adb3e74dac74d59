//! What the handle asks the migration writer's task to do.

use tokio::sync::oneshot;

use crate::telemetry::FlushReport;

#[derive(Debug)]
pub(super) enum Command {
    Flush(oneshot::Sender<FlushReport>),
    Close(oneshot::Sender<FlushReport>),
}
