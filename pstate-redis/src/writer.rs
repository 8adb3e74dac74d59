//! Changing records.

use pstate_core::{
    Batch, BatchMode, Change, Error, ErrorKind, Expect, Outcome, Result, Space, Write,
};

use crate::config::Placement;
use crate::error::{Effect, Failure};
use crate::store::Store;
use crate::value::in_hex;

/// What becomes of one write: an outcome, or why there is none.
pub(crate) type Done = Result<Outcome, Failure>;

/// Redis closes a connection on which more than 1 GiB waits to be done.
const MOST_BYTES: usize = 512 * 1024 * 1024;

impl Store {
    pub(crate) async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.check_open()?;
        let writes = &batch.writes;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let _begun = self.under_way.begin(space, writes);
        self.own_writes.note(space, writes);
        let too_long: Vec<Option<Error>> =
            writes.iter().map(|write| self.too_long(write)).collect();
        if batch.mode == BatchMode::Atomic {
            if let Some(error) = too_long.into_iter().flatten().next() {
                return Err(error);
            }
            let bytes: usize = writes.iter().map(len).sum();
            if bytes > MOST_BYTES {
                let why = format!("{bytes} bytes in one atomic batch, at most {MOST_BYTES} fit");
                return Err(Error::new(ErrorKind::InvalidInput, why));
            }
            let all: Vec<&Write> = writes.iter().collect();
            return self.finish(
                space,
                writes,
                self.write_all(space, &all, BatchMode::Atomic).await,
            );
        }
        let possible = writes.iter().zip(&too_long).filter(|(_, error)| error.is_none());
        let possible: Vec<&Write> = possible.map(|(write, _)| write).collect();
        let mut done = self.write_all(space, &possible, BatchMode::Each).await.into_iter();
        let done = too_long.into_iter().filter_map(|too_long| match too_long {
            Some(error) => Some(Ok(Outcome::Failed(error))),
            None => done.next(),
        });
        self.finish(space, writes, done.collect())
    }

    async fn write_all(&self, space: &Space, writes: &[&Write], mode: BatchMode) -> Vec<Done> {
        match self.layout.placement {
            Placement::PerSpace => self.write_in_space(space, writes, mode).await,
            Placement::PerKey => self.write_by_key(space, writes).await,
        }
    }

    /// Tells what has changed, and what has become of it all.
    fn finish(&self, space: &Space, writes: &[Write], done: Vec<Done>) -> Result<Vec<Outcome>> {
        self.own_writes.note(space, writes);
        let unknown = done.iter().find_map(|done| match done {
            Err(failure) if failure.sent => Some(failure.clone()),
            _ => None,
        });
        let nothing = done.iter().all(Result::is_err);
        let failures = done.iter().filter_map(|done| done.as_ref().err().cloned());
        let failure = unknown.clone().or_else(|| failures.into_iter().next().filter(|_| nothing));
        if let Some(failure) = failure {
            if unknown.is_some() {
                self.hub.publish(space, writes, &[]);
            }
            return Err(failure.into_error(Effect::Write));
        }
        let outcome = |(done, write): (Done, &Write)| {
            done.unwrap_or_else(|failure| {
                let error = failure.into_error(Effect::Write);
                Outcome::Failed(error.in_operation("write").in_space(space).at_key(&write.key))
            })
        };
        let outcomes: Vec<Outcome> = done.into_iter().zip(writes).map(outcome).collect();
        self.hub.publish(space, writes, &outcomes);
        Ok(outcomes)
    }

    fn too_long(&self, write: &Write) -> Option<Error> {
        let (len, most) = (len(write), self.config.max_value_len);
        (len > most).then(|| {
            Error::new(ErrorKind::InvalidInput, format!("{len} bytes, at most {most} are stored"))
                .at_key(&write.key)
                .in_operation("write")
        })
    }
}

pub(crate) fn len(write: &Write) -> usize {
    match &write.change {
        Change::Put(bytes) => bytes.len(),
        Change::Delete => 0,
    }
}

/// What is expected, as the scripts are told.
pub(crate) fn expectation(expect: Expect) -> String {
    match expect {
        Expect::Any => "*".to_owned(),
        Expect::Absent => "-".to_owned(),
        Expect::Revision(revision) => in_hex(revision),
    }
}

/// What is to be stored, as the scripts are told.
pub(crate) fn change(change: &Change) -> Vec<u8> {
    match change {
        Change::Put(bytes) => {
            let mut told = Vec::with_capacity(1 + bytes.len());
            told.push(b'p');
            told.extend_from_slice(bytes);
            told
        }
        Change::Delete => b"d".to_vec(),
    }
}

/// What a write leaves behind that was done.
pub(crate) fn outcome(write: &Write) -> Outcome {
    match &write.change {
        Change::Put(bytes) => Outcome::Stored(crate::value::revision(bytes)),
        Change::Delete => Outcome::Deleted,
    }
}
