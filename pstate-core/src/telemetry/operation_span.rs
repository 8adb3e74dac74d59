//! One operation, from its start to its end.

use std::time::Duration;

use tracing::Span;

use super::call::{Call, CallFuture};
use super::event::Event;
use super::operation::Operation;
use super::spans::operation_span;
use super::telemetry::Telemetry;
use crate::model::{Error, KeyRef, Space};
use crate::runtime::Instant;

/// An operation that has begun: its span, when it began, and the call that it is done for.
///
/// It is the one place that starts, ends and reports an operation. The work below only adds what
/// it knows: which documents it fetched or wrote.
pub(crate) struct OperationSpan<'a> {
    telemetry: &'a Telemetry,
    operation: Operation,
    call: Call<'a>,
    started: Option<Instant>,
    span: Span,
}

impl<'a> OperationSpan<'a> {
    /// Starts an operation for a call, on so many keys.
    pub(crate) fn start(
        telemetry: &'a Telemetry,
        operation: Operation,
        call: Call<'a>,
        keys: usize,
    ) -> Self {
        let span = operation_span(operation, call.space(), keys);
        Self { telemetry, operation, call, started: telemetry.start(), span }
    }

    pub(crate) fn space(&self) -> &'a Space {
        self.call.space()
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether an observer wants to know about the operation.
    pub(crate) fn is_observed(&self) -> bool {
        self.telemetry.is_observed()
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.telemetry.emit(event);
    }

    pub(crate) fn emit_fetch(&self, fetch: &Event<'_>) {
        self.telemetry.fetched(fetch);
    }

    /// Whether this read of the cache is one of those that are timed.
    pub(crate) fn times_cache_read(&self) -> bool {
        self.telemetry.times_cache_read()
    }

    /// Names the call in an error; see [`Call::locate`].
    pub(crate) fn locate(&self, error: Error) -> Error {
        self.call.locate(error)
    }

    /// Does the operation's work in its span and in the handle's runtime. An error names the call.
    pub(crate) fn run<W>(&self, work: W) -> CallFuture<'a, W> {
        self.call.run_in_span(self.span.clone(), work)
    }

    /// Ends the operation on so many keys, of which the first is named in a warning, and returns
    /// how long it took; logs a warning if that was long.
    pub(crate) fn end(&self, first: Option<KeyRef<'_>>, keys: usize) -> Duration {
        self.telemetry.end(self.operation, (self.space(), first, keys), self.started)
    }
}
