//! What an adapter was asked, and what it answered.

use std::fmt;
use std::sync::Arc;

use pstate_core::{
    Batch, BatchMode, Change, Error, Expect, Key, Outcome, Page, Record, Revision, Scan, Space,
    Write,
};

/// One call of an adapter, as [`RecordingLayer`](crate::RecordingLayer) and
/// [`FaultLayer`](crate::FaultLayer) see it.
#[derive(Debug, Clone)]
pub struct Operation {
    /// What was asked.
    pub request: Request,
    /// What was answered; `None` as long as nothing was, also when the future was dropped.
    pub response: Option<Result<Response, Error>>,
    /// When it was asked: a tick of the log's clock. No two ticks are equal.
    pub invoked: u64,
    /// When it was answered.
    pub returned: Option<u64>,
    /// The fault that a [`FaultLayer`](crate::FaultLayer) put into it.
    pub fault: Option<&'static str>,
}

/// What an adapter is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// [`multi_get`](pstate_core::Adapter::multi_get)
    MultiGet(Space, Vec<Key>),
    /// [`write`](pstate_core::Adapter::write)
    Write(Space, Batch),
    /// [`scan`](pstate_core::Adapter::scan)
    Scan(Space, Scan),
    /// [`spaces`](pstate_core::Adapter::spaces)
    Spaces,
    /// [`flush`](pstate_core::Adapter::flush)
    Flush,
    /// [`close`](pstate_core::Adapter::close)
    Close,
}

/// What an adapter answers.
#[derive(Debug, Clone)]
pub enum Response {
    /// To [`Request::MultiGet`].
    Records(Vec<Option<Record>>),
    /// To [`Request::Write`].
    Outcomes(Vec<Outcome>),
    /// To [`Request::Scan`].
    Page(Page),
    /// To [`Request::Spaces`].
    Spaces(Vec<Space>),
    /// To [`Request::Flush`] and [`Request::Close`].
    Done,
}

/// Turns the answer of one method into a [`Response`].
pub(crate) trait Answer: Clone {
    fn into_response(self) -> Response;
}

impl Answer for Vec<Option<Record>> {
    fn into_response(self) -> Response {
        Response::Records(self)
    }
}

impl Answer for Vec<Outcome> {
    fn into_response(self) -> Response {
        Response::Outcomes(self)
    }
}

impl Answer for Page {
    fn into_response(self) -> Response {
        Response::Page(self)
    }
}

impl Answer for Vec<Space> {
    fn into_response(self) -> Response {
        Response::Spaces(self)
    }
}

impl Answer for () {
    fn into_response(self) -> Response {
        Response::Done
    }
}

/// A value as people read it: text as text, anything long by its beginning and its length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value(pub(crate) Arc<[u8]>);

impl Value {
    const SHOWN: usize = 48;
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(Self::SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if self.0.len() > Self::SHOWN {
            // Long values that begin alike differ in their revision.
            let digest = Revision::of_content(&self.0).as_number();
            write!(f, ".. ({} bytes, digest {:08x})", self.0.len(), digest >> 96)?;
        }
        Ok(())
    }
}

/// Writes operations so that revisions can be told apart at a glance: `r1`, `r2`, in the order in
/// which they appear.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    revisions: Vec<Revision>,
}

/// How many records, keys or writes of one call are written out.
const LISTED: usize = 12;

impl Narrator {
    pub(crate) fn tell(&mut self, operation: &Operation) -> String {
        let request = self.request(&operation.request);
        let response = match &operation.response {
            None => "(no answer)".to_owned(),
            Some(Ok(response)) => self.response(response),
            Some(Err(error)) => {
                let retry = if error.is_retryable() { ", safe to retry" } else { "" };
                format!("error ({}{retry}): {error}", error.kind())
            }
        };
        match operation.fault {
            None => format!("{request} -> {response}"),
            Some(fault) => format!("{request} -> {response}   [fault: {fault}]"),
        }
    }

    fn request(&mut self, request: &Request) -> String {
        match request {
            Request::MultiGet(space, keys) => {
                format!("multi_get({space}: {})", list(keys.iter(), ToString::to_string))
            }
            Request::Write(space, batch) => {
                let mode = match batch.mode {
                    BatchMode::Atomic => "atomic",
                    BatchMode::Each => "each",
                };
                let writes = list(batch.writes.iter(), |write| self.write(write));
                format!("write({space}, {mode}: {writes})")
            }
            Request::Scan(space, scan) => {
                let after = scan.after.as_ref().map(|key| format!(" after {key}"));
                let limit = match scan.limit.get() {
                    usize::MAX => "all".to_owned(),
                    limit => limit.to_string(),
                };
                let after = after.unwrap_or_default();
                format!("scan({space}: prefix {:?}{after}, limit {limit})", scan.prefix)
            }
            Request::Spaces => "spaces()".to_owned(),
            Request::Flush => "flush()".to_owned(),
            Request::Close => "close()".to_owned(),
        }
    }

    fn write(&mut self, write: &Write) -> String {
        let expect = match write.expect {
            Expect::Any => String::new(),
            Expect::Absent => " if absent".to_owned(),
            Expect::Revision(revision) => format!(" if at {}", self.revision(revision)),
        };
        match &write.change {
            Change::Put(bytes) => format!("put {} {:?}{expect}", write.key, Value(bytes.clone())),
            Change::Delete => format!("delete {}{expect}", write.key),
        }
    }

    fn response(&mut self, response: &Response) -> String {
        match response {
            Response::Records(records) => {
                let records = list(records.iter(), |record| match record {
                    None => "none".to_owned(),
                    Some(record) => self.record(record),
                });
                format!("[{records}]")
            }
            Response::Outcomes(outcomes) => {
                let outcomes = list(outcomes.iter(), |outcome| match outcome {
                    Outcome::Stored(revision) => format!("stored {}", self.revision(*revision)),
                    Outcome::Deleted => "deleted".to_owned(),
                    Outcome::Conflict => "conflict".to_owned(),
                    Outcome::Aborted => "aborted".to_owned(),
                    Outcome::Failed(error) => format!("failed ({}): {error}", error.kind()),
                });
                format!("[{outcomes}]")
            }
            Response::Page(page) => {
                let records = list(page.records.iter(), |(key, record)| {
                    format!("{key} = {}", self.record(record))
                });
                let next = page.next.as_ref().map(|key| format!(", next {key}"));
                let unreadable = match page.unreadable.len() {
                    0 => String::new(),
                    count => format!(", {count} unreadable"),
                };
                format!("[{records}]{}{unreadable}", next.unwrap_or_default())
            }
            Response::Spaces(spaces) => {
                format!("[{}]", list(spaces.iter(), ToString::to_string))
            }
            Response::Done => "done".to_owned(),
        }
    }

    fn record(&mut self, record: &Record) -> String {
        format!("{:?} at {}", Value(record.bytes.clone()), self.revision(record.revision))
    }

    fn revision(&mut self, revision: Revision) -> String {
        let known = self.revisions.iter().position(|&known| known == revision);
        let at = known.unwrap_or_else(|| {
            self.revisions.push(revision);
            self.revisions.len() - 1
        });
        format!("r{}", at + 1)
    }
}

fn list<T>(items: impl ExactSizeIterator<Item = T>, show: impl FnMut(T) -> String) -> String {
    let more = items.len().saturating_sub(LISTED);
    let mut shown: Vec<String> = items.take(LISTED).map(show).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}
