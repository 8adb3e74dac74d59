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
