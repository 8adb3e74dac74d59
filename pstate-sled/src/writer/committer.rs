//! What the writer thread does.

use std::sync::Arc;

use pstate_core::{GroupCommit, GroupConfig, GroupWriter, Outcome, Reply, Result, WriteRequest};

use super::transaction::Transaction;
use crate::config::Flush;
use crate::store::Store;

/// How many writes, and bytes of values, close a portion that is stored under one lock: about a
/// millisecond.
const WRITES_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1 << 20;

/// What else the thread does, in order with the writes.
#[derive(Debug)]
pub(crate) enum Command {
    /// Waits until everything that was written has left the process.
    Flush(Reply<()>),
}

#[derive(Debug)]
struct Committer {
    store: Arc<Store>,
    /// Whether a write has to leave the process before it is acknowledged.
    flush: bool,
}

/// Starts the thread.
pub(crate) fn start(store: &Arc<Store>) -> Result<GroupWriter<Command>> {
    let committer =
        Committer { store: Arc::clone(store), flush: store.config.flush == Flush::EveryWrite };
    GroupWriter::start("pstate-sled", committer, GroupConfig::default())
}

impl GroupCommit for Committer {
    type Command = Command;

    /// In between, others can read what is not flushed yet. What they write in response stands
    /// behind it in the queue.
    fn commit(&mut self, requests: Vec<WriteRequest>) {
        let stored = self.store_all(&requests).and_then(|outcomes| {
            if self.flush {
                self.store.flush()?;
            }
            Ok(outcomes)
        });
        match stored {
            Ok(outcomes) => {
                for (request, outcomes) in requests.into_iter().zip(outcomes) {
                    request.answer(outcomes);
                }
            }
            Err(error) => {
                for request in requests {
                    request.answer(Err(error.clone()));
                }
            }
        }
    }

    fn run(&mut self, command: Command) {
        match command {
            Command::Flush(reply) => reply.send(self.store.flush()),
        }
    }

    fn close(self) {
        self.store.close();
    }
}

impl Committer {
    /// Stores all requests, and publishes what has changed. Readers have their turn between two
    /// portions.
    fn store_all(&self, requests: &[WriteRequest]) -> Result<Vec<Result<Vec<Outcome>>>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        while outcomes.len() < requests.len() {
            let rest = &requests[outcomes.len()..];
            outcomes.extend(self.store_portion(&rest[..first_portion(rest)])?);
        }
        Ok(outcomes)
    }

    /// Stores these requests together.
    fn store_portion(&self, requests: &[WriteRequest]) -> Result<Vec<Result<Vec<Outcome>>>> {
        self.store.write(|tree| {
            let mut transaction = Transaction::new(&self.store, tree);
            let add = |request: &WriteRequest| {
                let batch = request.batch();
                transaction.add(request.space(), batch.mode, &batch.writes)
            };
            let outcomes: Vec<Result<Vec<Outcome>>> = requests.iter().map(add).collect();
            let stored = transaction.store();
            for (request, outcomes) in requests.iter().zip(&outcomes) {
                let outcomes = match (outcomes, &stored) {
                    // It may have happened.
                    (Ok(_), Err(_)) => &[],
                    (Ok(outcomes), Ok(())) => &outcomes[..],
                    (Err(_), _) => continue,
                };
                self.store.changes.publish(request.space(), &request.batch().writes, outcomes);
            }
            stored.map(|()| outcomes)
        })
    }
}

/// The number of requests that are stored under one lock; at least one.
fn first_portion(requests: &[WriteRequest]) -> usize {
    let (mut writes, mut bytes) = (0_usize, 0_usize);
    let full = requests.iter().position(|request| {
        writes += request.batch().writes.len();
        bytes += request.batch().value_bytes();
        writes >= WRITES_AT_ONCE || bytes >= BYTES_AT_ONCE
    });
    full.map_or(requests.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use pstate_core::{
        Batch, ChangedRecord, ChangedTo, Changes, Key, Response, Revision, Space, Write,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::config::SledConfig;

    type Answer = Response<Vec<Outcome>>;

    fn open(directory: &TempDir) -> Committer {
        let store = Store::open(&directory.path().join("app"), SledConfig::default());
        Committer { store: Arc::new(store.expect("a store")), flush: true }
    }

    fn request(id: &str, value: &str) -> (WriteRequest, Answer) {
        let key = Key::new("card", id).expect("a key");
        let batch = Batch::atomic(vec![Write::put(key, value.as_bytes())]);
        WriteRequest::new(Space::default(), batch)
    }

    #[test]
    fn what_is_stored_is_published_in_its_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut committer = open(&directory);
        let mut subscription = committer.store.changes.subscribe();
        let (requests, _answers): (Vec<_>, Vec<_>) =
            [request("1", "one"), request("2", "two"), request("1", "three")].into_iter().unzip();
        committer.commit(requests);
        let changed = |id, value: &str| {
            let now = ChangedTo::Revision(Revision::of_content(value.as_bytes()));
            ChangedRecord::new(Space::default(), Key::new("card", id).expect("a key"), now)
        };
        let published = vec![changed("1", "one"), changed("2", "two"), changed("1", "three")];
        assert_eq!(subscription.take(), Changes::Records(published));
    }

    #[test]
    fn a_portion_is_bounded_and_never_empty() {
        let of = |values: &[(usize, usize)]| -> Vec<WriteRequest> {
            let batch = |&(writes, len): &(usize, usize)| {
                let key = |n: usize| Key::new("card", &n.to_string()).expect("a key");
                Batch::each((0..writes).map(|n| Write::put(key(n), vec![0; len])).collect())
            };
            let request = |value| WriteRequest::new(Space::default(), batch(value)).0;
            values.iter().map(request).collect()
        };
        assert_eq!(first_portion(&of(&[(1, 1), (1, 1)])), 2);
        assert_eq!(first_portion(&of(&[(WRITES_AT_ONCE, 1), (1, 1)])), 1);
        assert_eq!(first_portion(&of(&[(1, 1), (2 * WRITES_AT_ONCE, 1), (1, 1)])), 2);
        assert_eq!(first_portion(&of(&[(1, 2 * BYTES_AT_ONCE), (1, 1)])), 1);
    }

    #[tokio::test]
    async fn what_is_written_to_a_closed_store_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut committer = open(&directory);
        committer.store.close();
        let (late, answer) = request("1", "late");
        committer.commit(vec![late]);
        let error = answer.await.expect_err("closed");
        assert_eq!(error.message(), "the store is closed");
    }
}
