//! What the writer thread does.

use std::sync::Arc;

use pstate_core::{GroupCommit, GroupConfig, GroupWriter, Outcome, Reply, Result, WriteRequest};

use super::transaction::Transaction;
use crate::config::Flush;
use crate::store::Store;

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
    /// Stores all requests together, and publishes what has changed.
    fn store_all(&self, requests: &[WriteRequest]) -> Result<Vec<Result<Vec<Outcome>>>> {
        self.store.write(|tree| {
            let mut transaction = Transaction::new(&self.store, tree);
            let add = |request: &WriteRequest| transaction.add(request.space(), request.batch());
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
