use pstate_core::{BatchMode, Change, Expect, Outcome, Record, Revision, Write};

use super::operation::Operation;
use super::request::Request;
use super::response::Response;
use super::value::Value;

/// The number of records, keys or writes shown of one call.
const SHOWN: usize = 12;

/// Formats operations as text. Revisions are called `r1`, `r2`, in order of appearance, because
/// their own text is too long to compare at a glance.
#[derive(Debug, Default)]
pub(crate) struct OperationFormatter {
    revisions: Vec<Revision>,
}

impl OperationFormatter {
    pub(crate) fn format(&mut self, operation: &Operation) -> String {
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
    let more = items.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = items.take(SHOWN).map(show).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}
