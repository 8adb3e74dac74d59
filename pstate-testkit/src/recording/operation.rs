use pstate_core::Error;

use super::request::Request;
use super::response::Response;

/// One call of an adapter, as [`RecordingLayer`](crate::RecordingLayer) and
/// [`FaultLayer`](crate::FaultLayer) record it.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The call.
    pub request: Request,
    /// The answer; `None` while there is none, and for ever if the future was dropped.
    pub response: Option<Result<Response, Error>>,
    /// When the call began: a tick of the log's clock. No two ticks are equal.
    pub invoked: u64,
    /// When the call returned.
    pub returned: Option<u64>,
    /// The fault that a [`FaultLayer`](crate::FaultLayer) injected.
    pub fault: Option<&'static str>,
}
