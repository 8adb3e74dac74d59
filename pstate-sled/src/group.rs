//! Group commit: several batches stored together, and flushed together.

use pstate_core::{Outcome, Result};

use crate::database::Database;
use crate::transaction::Transaction;
use crate::writer::Request;

/// Stores all of them, flushes if a write has to have left the process, and only then answers any.
///
/// In between others can read what is not flushed yet; who acts on it writes behind it.
pub(crate) fn commit(database: &Database, mut group: Vec<Request>, flush: bool) {
    // Whoever has stopped waiting does not want it done any more.
    group.retain(|request| !request.reply.is_closed());
    if group.is_empty() {
        return;
    }
    let stored = database.write(|tree| {
        let mut transaction = Transaction::new(database, tree);
        let add = |request: &Request| transaction.add(&request.space, &request.batch);
        let outcomes: Vec<Result<Vec<Outcome>>> = group.iter().map(add).collect();
        let stored = transaction.store();
        for (request, outcomes) in group.iter().zip(&outcomes) {
            let outcomes = match (outcomes, &stored) {
                // It may have happened.
                (Ok(_), Err(_)) => &[],
                (Ok(outcomes), Ok(())) => &outcomes[..],
                (Err(_), _) => continue,
            };
            database.changes.publish(&request.space, &request.batch.writes, outcomes);
        }
        stored.map(|()| outcomes)
    });
    let outcomes = stored.and_then(|outcomes| {
        if flush {
            database.flush()?;
        }
        Ok(outcomes)
    });
    match outcomes {
        Ok(outcomes) => {
            for (request, outcomes) in group.into_iter().zip(outcomes) {
                let _ = request.reply.send(outcomes);
            }
        }
        Err(error) => {
            for request in group {
                let error = error.clone().in_operation("write").in_space(&request.space);
                let _ = request.reply.send(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pstate_core::{Batch, ChangedRecord, ChangedTo, Changes, Key, Revision, Space, Write};
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::SledConfig;

    type Answer = oneshot::Receiver<Result<Vec<Outcome>>>;

    fn open(directory: &TempDir) -> Database {
        Database::open(&directory.path().join("app"), SledConfig::default()).expect("a store")
    }

    fn request(id: &str, value: &str) -> (Request, Answer) {
        let (reply, answer) = oneshot::channel();
        let key = Key::new("card", id).expect("a key");
        let batch = Batch::atomic(vec![Write::put(key, value.as_bytes())]);
        (Request { space: Space::default(), batch, reply }, answer)
    }

    fn stored(database: &Database) -> Vec<String> {
        let keys = database.read(|tree| tree.iter().keys().collect::<sled::Result<Vec<_>>>());
        let text = |key: &sled::IVec| String::from_utf8_lossy(key).replace('\0', "/");
        keys.expect("keys").iter().map(text).collect()
    }

    #[test]
    fn a_batch_that_nobody_waits_for_is_not_begun() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = open(&directory);
        let (kept, mut kept_answer) = request("1", "good");
        let (abandoned, answer) = request("2", "good");
        drop(answer);
        commit(&database, vec![kept, abandoned], true);
        assert_eq!(stored(&database), ["default/card:1"]);
        assert!(kept_answer.try_recv().expect("an answer").is_ok());
    }

    #[test]
    fn what_is_stored_is_told_in_its_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = open(&directory);
        let mut subscription = database.changes.subscribe();
        let (requests, _answers): (Vec<_>, Vec<_>) =
            [request("1", "one"), request("2", "two"), request("1", "three")].into_iter().unzip();
        commit(&database, requests, true);
        let changed = |id, value: &str| {
            let now = ChangedTo::Revision(Revision::of_content(value.as_bytes()));
            ChangedRecord::new(Space::default(), Key::new("card", id).expect("a key"), now)
        };
        let told = vec![changed("1", "one"), changed("2", "two"), changed("1", "three")];
        assert_eq!(subscription.take(), Changes::Records(told));
    }

    #[test]
    fn what_is_written_to_a_closed_store_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = open(&directory);
        database.close();
        let (late, mut answer) = request("1", "late");
        commit(&database, vec![late], true);
        let error = answer.try_recv().expect("an answer").expect_err("closed");
        assert_eq!(error.message(), "the store is closed");
    }
}
