//! Recording the calls of an adapter, as data and as text.

mod answer;
mod formatter;
mod operation;
mod operation_log;
mod recording_layer;
mod request;
mod response;
mod value;

pub(crate) use answer::Answer;
pub(crate) use formatter::OperationFormatter;
pub use operation::Operation;
pub(crate) use operation_log::OperationId;
pub use operation_log::OperationLog;
pub use recording_layer::RecordingLayer;
pub use request::Request;
pub use response::Response;
pub(crate) use value::Value;
