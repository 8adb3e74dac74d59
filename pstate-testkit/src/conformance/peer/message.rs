//! What the processes say to each other: one line of JSON for each call and each answer.

use std::num::NonZeroUsize;

use pstate_core::{
    Batch, BatchMode, Change, ChangedRecord, ChangedTo, Changes, Error, ErrorKind, Expect, Key,
    Outcome, Page, Record, Result, Revision, Scan, Space, VersionCounts, Write,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Numbered<T> {
    pub(super) number: u64,
    pub(super) message: T,
}

/// A call of the adapter in the other process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    MultiGet { space: String, keys: Vec<Key> },
    Write { space: String, atomic: bool, writes: Vec<WriteMessage> },
    Scan { space: String, prefix: String, after: Option<Key>, limit: NonZeroUsize },
    Spaces,
    Flush,
    Close,
    CountVersions { space: String },
    Subscribe,
    Changes { subscription: usize },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Opened { count_versions: bool, change_feed: bool },
    Records(Vec<Option<RecordMessage>>),
    Outcomes(Vec<OutcomeMessage>),
    Page { records: Vec<(Key, RecordMessage)>, unreadable: Vec<ErrorMessage>, next: Option<Key> },
    Spaces(Vec<String>),
    Done,
    Counts { versions: Vec<(String, u32, u64)>, unreadable: u64 },
    Subscribed(usize),
    Changes(Option<Vec<(String, Key, ChangedToMessage)>>),
    Failed(ErrorMessage),
}

/// The expectation is the revision's number, or `absent`; nothing for none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WriteMessage {
    key: Key,
    put: Option<String>,
    expect: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordMessage {
    bytes: String,
    revision: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum OutcomeMessage {
    Stored(String),
    Deleted,
    Conflict,
    Aborted,
    Failed(ErrorMessage),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChangedToMessage {
    Revision(String),
    Absent,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ErrorMessage {
    kind: String,
    is_retryable: bool,
    message: String,
}

/// The kinds of errors that an adapter may return.
const KINDS: [ErrorKind; 8] = [
    ErrorKind::Conflict,
    ErrorKind::InvalidInput,
    ErrorKind::Unsupported,
    ErrorKind::Corrupt,
    ErrorKind::Config,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Other,
];

fn malformed() -> Error {
    Error::new(ErrorKind::Other, "the other process sent a message that is malformed")
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(half(*high)? << 4 | half(*low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(|pair| byte(pair).ok_or_else(malformed)).collect()
}

fn number(revision: Revision) -> String {
    revision.as_number().to_string()
}

fn revision(number: &str) -> Result<Revision> {
    number.parse().map(Revision::from_number).map_err(|_| malformed())
}

impl Call {
    pub(super) fn write(space: &Space, batch: &Batch) -> Self {
        let writes = batch.writes.iter().map(WriteMessage::new).collect();
        Self::Write { space: space.to_string(), atomic: batch.mode == BatchMode::Atomic, writes }
    }

    pub(super) fn scan(space: &Space, scan: &Scan) -> Self {
        let Scan { prefix, after, limit } = scan.clone();
        Self::Scan { space: space.to_string(), prefix, after, limit }
    }
}

pub(super) fn batch(atomic: bool, writes: Vec<WriteMessage>) -> Result<Batch> {
    let writes = writes.into_iter().map(WriteMessage::into_write).collect::<Result<_>>()?;
    Ok(if atomic { Batch::atomic(writes) } else { Batch::each(writes) })
}

impl WriteMessage {
    fn new(write: &Write) -> Self {
        let put = match &write.change {
            Change::Put(bytes) => Some(hex(bytes)),
            Change::Delete => None,
        };
        let expect = match write.expect {
            Expect::Any => None,
            Expect::Absent => Some("absent".to_owned()),
            Expect::Revision(revision) => Some(number(revision)),
        };
        Self { key: write.key.clone(), put, expect }
    }

    fn into_write(self) -> Result<Write> {
        let write = match self.put {
            Some(hex) => Write::put(self.key, bytes(&hex)?),
            None => Write::delete(self.key),
        };
        Ok(write.expecting(match self.expect.as_deref() {
            None => Expect::Any,
            Some("absent") => Expect::Absent,
            Some(number) => Expect::Revision(revision(number)?),
        }))
    }
}

impl RecordMessage {
    fn new(record: &Record) -> Self {
        Self { bytes: hex(&record.bytes), revision: number(record.revision) }
    }

    fn into_record(self) -> Result<Record> {
        Ok(Record { bytes: bytes(&self.bytes)?.into(), revision: revision(&self.revision)? })
    }
}

impl ErrorMessage {
    pub(super) fn new(error: &Error) -> Self {
        Self {
            kind: error.kind().to_string(),
            is_retryable: error.is_retryable(),
            message: error.to_string(),
        }
    }

    pub(super) fn into_error(self) -> Error {
        let kind = KINDS.into_iter().find(|kind| kind.to_string() == self.kind);
        let error = Error::new(kind.unwrap_or(ErrorKind::Other), self.message);
        if self.is_retryable { error.retryable() } else { error }
    }
}

impl Answer {
    pub(super) fn records(records: &[Option<Record>]) -> Self {
        Self::Records(
            records.iter().map(|record| record.as_ref().map(RecordMessage::new)).collect(),
        )
    }

    pub(super) fn into_records(self) -> Result<Vec<Option<Record>>> {
        let Self::Records(records) = self else { return Err(malformed()) };
        records
            .into_iter()
            .map(|record| record.map(RecordMessage::into_record).transpose())
            .collect()
    }

    pub(super) fn outcomes(outcomes: &[Outcome]) -> Self {
        let message = |outcome: &Outcome| match outcome {
            Outcome::Stored(revision) => OutcomeMessage::Stored(number(*revision)),
            Outcome::Deleted => OutcomeMessage::Deleted,
            Outcome::Conflict => OutcomeMessage::Conflict,
            Outcome::Aborted => OutcomeMessage::Aborted,
            Outcome::Failed(error) => OutcomeMessage::Failed(ErrorMessage::new(error)),
        };
        Self::Outcomes(outcomes.iter().map(message).collect())
    }

    pub(super) fn into_outcomes(self) -> Result<Vec<Outcome>> {
        let Self::Outcomes(outcomes) = self else { return Err(malformed()) };
        let outcome = |message| {
            Ok(match message {
                OutcomeMessage::Stored(number) => Outcome::Stored(revision(&number)?),
                OutcomeMessage::Deleted => Outcome::Deleted,
                OutcomeMessage::Conflict => Outcome::Conflict,
                OutcomeMessage::Aborted => Outcome::Aborted,
                OutcomeMessage::Failed(error) => Outcome::Failed(error.into_error()),
            })
        };
        outcomes.into_iter().map(outcome).collect()
    }

    pub(super) fn page(page: &Page) -> Self {
        let record = |(key, record): &(Key, Record)| (key.clone(), RecordMessage::new(record));
        Self::Page {
            records: page.records.iter().map(record).collect(),
            unreadable: page.unreadable.iter().map(ErrorMessage::new).collect(),
            next: page.next.clone(),
        }
    }

    pub(super) fn into_page(self) -> Result<Page> {
        let Self::Page { records, unreadable, next } = self else { return Err(malformed()) };
        let record = |(key, record): (Key, RecordMessage)| Ok((key, record.into_record()?));
        Ok(Page {
            records: records.into_iter().map(record).collect::<Result<_>>()?,
            unreadable: unreadable.into_iter().map(ErrorMessage::into_error).collect(),
            next,
        })
    }

    pub(super) fn into_spaces(self) -> Result<Vec<Space>> {
        let Self::Spaces(spaces) = self else { return Err(malformed()) };
        spaces.iter().map(|space| space.parse()).collect()
    }

    pub(super) fn into_done(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            _ => Err(malformed()),
        }
    }

    pub(super) fn counts(counts: &VersionCounts) -> Self {
        let mut versions = Vec::new();
        for (name, of_type) in counts.by_type() {
            versions
                .extend(of_type.iter().map(|(&version, &count)| (name.to_owned(), version, count)));
        }
        Self::Counts { versions, unreadable: counts.unreadable() }
    }

    /// The counts can only be built of documents, so it counts documents of these versions.
    pub(super) fn into_counts(self) -> Result<VersionCounts> {
        let Self::Counts { versions, unreadable } = self else { return Err(malformed()) };
        let mut counts = VersionCounts::default();
        for (name, version, count) in versions {
            let document = format!(r#"{{"$v":{version}}}"#);
            let key = format!("{name}:1");
            (0..count).for_each(|_| counts.add(&key, document.as_bytes()));
        }
        (0..unreadable).for_each(|_| counts.add_unreadable("in the other process"));
        Ok(counts)
    }

    pub(super) fn into_subscription(self) -> Result<usize> {
        match self {
            Self::Subscribed(subscription) => Ok(subscription),
            _ => Err(malformed()),
        }
    }

    pub(super) fn changes(changes: &Changes) -> Self {
        let Changes::Records(records) = changes else { return Self::Changes(None) };
        let message = |record: &ChangedRecord| {
            let now = match record.now {
                ChangedTo::Revision(revision) => ChangedToMessage::Revision(number(revision)),
                ChangedTo::Absent => ChangedToMessage::Absent,
                ChangedTo::Unknown => ChangedToMessage::Unknown,
            };
            (record.space.to_string(), record.key.clone(), now)
        };
        Self::Changes(Some(records.iter().map(message).collect()))
    }

    pub(super) fn into_changes(self) -> Result<Changes> {
        let Self::Changes(changes) = self else { return Err(malformed()) };
        let Some(records) = changes else { return Ok(Changes::Everything) };
        let record = |(space, key, now): (String, Key, ChangedToMessage)| {
            let now = match now {
                ChangedToMessage::Revision(number) => ChangedTo::Revision(revision(&number)?),
                ChangedToMessage::Absent => ChangedTo::Absent,
                ChangedToMessage::Unknown => ChangedTo::Unknown,
            };
            Ok(ChangedRecord::new(space.parse()?, key, now))
        };
        Ok(Changes::Records(records.into_iter().map(record).collect::<Result<_>>()?))
    }
}
