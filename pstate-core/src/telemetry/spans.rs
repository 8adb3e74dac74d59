//! Spans of [`tracing`] around what takes longer than a read of the cache.
//!
//! They have level `debug` and target `pstate`. Names and fields are those of OpenTelemetry's
//! conventions for database clients. A disabled span costs 6 ns.

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::operation::Operation;
use crate::model::{Error, Result, Space};

/// The span of an operation.
pub(super) fn operation_span(operation: Operation, space: &Space, keys: usize) -> Span {
    tracing::debug_span!(
        target: "pstate",
        "operation",
        otel.name = operation.as_str(),
        db.operation.name = operation.as_str(),
        db.namespace = %space,
        db.operation.batch.size = keys,
        "error.type" = Empty,
        otel.status_code = Empty,
    )
}

/// The span of a call of an adapter.
pub(crate) fn call_span(
    adapter: &'static str,
    call: &'static str,
    space: Option<&Space>,
    keys: usize,
) -> Span {
    let span = tracing::debug_span!(
        target: "pstate",
        "call",
        otel.name = call,
        otel.kind = "client",
        db.system.name = adapter,
        db.operation.name = call,
        db.namespace = Empty,
        db.operation.batch.size = keys,
        "error.type" = Empty,
        otel.status_code = Empty,
    );
    if let Some(space) = space
        && !span.is_disabled()
    {
        span.record("db.namespace", tracing::field::display(space));
    }
    span
}

/// Records in a span why it failed.
pub(super) fn record_error(span: &Span, error: Option<&Error>) {
    if let Some(error) = error
        && !span.is_disabled()
    {
        span.record("error.type", error.kind().as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// Does some work in a span, which records how it ended.
pub(crate) async fn in_span<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.instrument(span.clone()).await;
    record_error(&span, result.as_ref().err());
    result
}
