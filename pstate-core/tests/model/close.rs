//! Closing a handle during reads, writes and flushes.

use std::collections::BTreeSet;

use shuttle::future::spawn;

use crate::scenarios::put_old_documents;
use crate::schedules::check;
use crate::store::Store;
use crate::user::{KEYS, User};

/// Documents that were read, and are still stored at version 1, are counted as left or dropped.
async fn closing() {
    let store = Store::new();
    let (user, other) =
        (User::new(&store).tolerating_errors(), User::new(&store).tolerating_errors());
    put_old_documents(&other).await;
    let reading = [spawn(read_each(user.clone())), spawn(read_each(user.clone()))];
    let others = [spawn(user.clone().flush()), spawn(put_one(user.clone())), spawn(put_one(other))];
    let report = user.pstate.close().await.unwrap();
    let mut read = BTreeSet::new();
    for task in reading {
        read.extend(task.await.unwrap());
    }
    for task in others {
        task.await.unwrap();
    }
    store.idle().await;
    store.check();
    let stored = |key: &&str| store.stored(&user.place(key)).unwrap();
    let old = read.iter().filter(|key| stored(key)["$v"] == 1).count() as u64;
    let stats = user.pstate.stats();
    let queue = stats.write_back;
    let unstored = queue.failed + queue.dropped + queue.queued as u64;
    assert!(old <= unstored, "{old} are still at version 1: {stats:?}");
    // A document that is migrated again while it is queued counts as one write-back.
    assert!(queue.stored + queue.conflicts + unstored <= stats.migrations, "{stats:?}");
    assert_eq!(report.left, queue.queued, "{report}");
    assert!(user.pstate.get(KEYS[0]).await.is_err(), "the handle is closed");
    assert_eq!(user.pstate.close().await.unwrap().left, 0);
}

/// Reads each key, and returns those whose read succeeded.
async fn read_each(user: User) -> Vec<&'static str> {
    let mut read = Vec::new();
    for key in KEYS {
        if user.get(key).await.is_some() {
            read.push(key);
        }
    }
    read
}

async fn put_one(user: User) {
    user.put(KEYS[0]).await;
}

#[test]
fn nothing_is_left_unreported_in_any_schedule() {
    check(closing);
}
