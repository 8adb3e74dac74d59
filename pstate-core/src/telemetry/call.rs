//! The call of the program that all work is done for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tracing::Span;

use super::spans::record_error;
use crate::model::{Error, KeyRef, Result, Space};
use crate::runtime::{Home, is_in_step};

/// A method of the handle that the program has called, in a space, on a key if it names one.
///
/// Whatever fails on the way down is reported to the program under this name: it knows which
/// method it called, and not which method of the adapter that came to. And whatever is done for
/// the call is done within the handle's runtime, wherever the program polls it.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    name: &'static str,
    space: &'a Space,
    /// Whether it is about the whole store, and not about the space.
    of_store: bool,
    key: Option<KeyRef<'a>>,
    home: &'a Home,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        name: &'static str,
        space: &'a Space,
        key: Option<KeyRef<'a>>,
        home: &'a Home,
    ) -> Self {
        Self { name, space, of_store: false, key, home }
    }

    /// The call as one that is about the whole store.
    pub(crate) fn of_store(self) -> Self {
        Self { of_store: true, ..self }
    }

    pub(crate) fn space(&self) -> &'a Space {
        self.space
    }

    /// Does the call's work in the handle's runtime; an error names the call.
    pub(crate) fn run<W>(self, work: W) -> CallFuture<'a, W> {
        CallFuture { call: self, span: None, begun: false, work }
    }

    /// The same in a span, which records how the work ended.
    pub(super) fn run_in_span<W>(self, span: Span, work: W) -> CallFuture<'a, W> {
        CallFuture { call: self, span: Some(span), begun: false, work }
    }

    /// Whether work that the program polls here can come to its end; see [`Home::check`].
    pub(crate) fn check_home(&self) -> Result<()> {
        self.home.check().map_err(|error| self.locate(error))
    }

    /// Names the call in an error, and its space and key unless the error has its own.
    pub(crate) fn locate(&self, error: Error) -> Error {
        let error = error.of_operation(self.name);
        if self.of_store {
            return error;
        }
        let error = error.in_space(self.space);
        match self.key {
            Some(key) if error.key().is_none() => error.at_key(&key.to_key()),
            _ => error,
        }
    }
}

pin_project! {
    /// The work of a call.
    ///
    /// A type of its own and not an `async` block: a block would hold the work twice, and calls
    /// that are made of other calls would double that each time.
    pub(crate) struct CallFuture<'a, W> {
        call: Call<'a>,
        span: Option<Span>,
        begun: bool,
        #[pin]
        work: W,
    }
}

impl<T, W: Future<Output = Result<T>>> Future for CallFuture<'_, W> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.project();
        // Only at first: what has begun reports its own end.
        if !std::mem::replace(this.begun, true) {
            this.call.check_home()?;
        }
        if is_in_step() {
            // The step would wait for a read that may wait for the step.
            return Poll::Ready(Err(this.call.locate(called_in_step())));
        }
        let _in_runtime = this.call.home.enter();
        let span = this.span.as_ref();
        let _in_span = span.map(Span::enter);
        let result = ready!(this.work.poll(cx));
        if let Some(span) = span {
            record_error(span, result.as_ref().err());
        }
        Poll::Ready(result.map_err(|error| this.call.locate(error)))
    }
}

fn called_in_step() -> Error {
    Error::schema(
        "a migration step works on its document alone: a call that it waits for could wait for the \
         step; read other documents before the migration, or change this one by `update` after it",
    )
}
