//! What `tracing` is told, as lines.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Events of a level or more serious ones, and spans, each a line.
#[derive(Clone)]
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
    level: Level,
}

impl Log {
    pub(super) fn of(level: Level) -> Self {
        Self { lines: Arc::default(), spans: Arc::default(), level }
    }

    /// Logs what this thread does, until what is returned is dropped.
    ///
    /// Registered twice: while there is just one dispatcher, tracing asks that of the thread which
    /// meets a span for the first time whether anybody wants it. That may be a test beside this
    /// one, that has none.
    pub(super) fn begin(&self) -> (Dispatch, DefaultGuard) {
        (Dispatch::new(self.clone()), set_default(self.clone()))
    }

    /// What was logged since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        _ = write!(self.0, " {field}={value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        _ = write!(self.0, " {field}={value}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("pstate")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        let id = self.spans.fetch_add(1, Relaxed) + 1;
        self.lines.lock().push(format!("{}:{}", span.metadata().name(), fields.0));
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        self.lines.lock().push(format!("then:{}", fields.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.lines.lock().push(format!("{}:{}", event.metadata().level(), fields.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
