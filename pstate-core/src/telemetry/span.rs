//! Spans of [`tracing`] around what takes longer than a read of the cache.
//!
//! They are of level `debug` and target `pstate`. Names and fields are those of OpenTelemetry's conventions
//! for database clients. A span that nobody wants costs 6 ns.

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::{Operation, error_type};
use crate::error::{Error, Result};
use crate::space::Space;

/// The span of what a program has asked for.
pub(crate) fn operation_span(operation: Operation, space: &Space, keys: usize) -> Span {
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
pub(super) fn call_span(
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

/// Notes in a span why it failed.
fn note_error(span: &Span, error: Option<&Error>) {
    if let Some(name) = error_type(error)
        && !span.is_disabled()
    {
        span.record("error.type", name);
        span.record("otel.status_code", "ERROR");
    }
}

/// Does some work in a span, which notes how it ended.
pub(crate) async fn within<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.instrument(span.clone()).await;
    note_error(&span, result.as_ref().err());
    result
}
