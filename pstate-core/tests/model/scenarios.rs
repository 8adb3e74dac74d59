//! Users, handles and stores in all kinds of trouble.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Adapter, RetryLayer, TimeoutLayer};
use shuttle::future::spawn;

use crate::schedules::{check, check_repeatable, random};
use crate::store::{Fault, Store, StoreAdapter};
use crate::user::{KEYS, User, builder, small_writer};

/// Yesterday's documents under all keys.
pub(crate) async fn old_documents(user: &User) {
    for key in KEYS {
        user.put_old(key).await;
    }
}

/// Documents are read, which queues write-backs, while others write them, and somebody flushes.
pub(crate) async fn one_handle(store: Arc<Store>) {
    old_documents(&User::new(&store)).await;
    let user = User::new(&store);
    let tasks = [
        spawn(user.clone().read(3)),
        spawn(user.clone().work(2)),
        spawn(user.clone().work(2)),
        spawn(user.clone().flush()),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    user.check().await;
}

/// Two caches and two writers over one store.
async fn two_handles() {
    let store = Store::new();
    old_documents(&User::new(&store)).await;
    let users = [User::new(&store), User::new(&store)];
    let tasks = users.clone().map(|user| (spawn(user.clone().read(2)), spawn(user.work(3))));
    for (reading, working) in tasks {
        reading.await.unwrap();
        working.await.unwrap();
    }
    for user in users {
        // Its cache need not know what the other one wrote.
        user.settle().await;
    }
    User::new(&store).check().await;
}

/// Two caches over one store that ask for each read what the other one has written.
pub(crate) async fn two_handles_that_agree(store: Arc<Store>) {
    let users = User::two_that_agree(&store);
    old_documents(&users[0]).await;
    let tasks = users.clone().map(|user| (spawn(user.clone().read(3)), spawn(user.work(3))));
    for (reading, working) in tasks {
        reading.await.unwrap();
        working.await.unwrap();
    }
    for user in &users {
        user.settle().await;
    }
    for user in &users {
        user.check().await;
    }
}

/// The same keys in two spaces: never does anything of one get into the other.
async fn two_spaces() {
    let store = Store::new();
    let user = User::new(&store);
    let users = ["red", "blue"].map(|space| user.in_space(space));
    for user in &users {
        old_documents(user).await;
    }
    let tasks = users.clone().map(|user| (spawn(user.clone().read(2)), spawn(user.work(2))));
    for (reading, working) in tasks {
        reading.await.unwrap();
        working.await.unwrap();
    }
    for user in users {
        user.check().await;
    }
}

/// Everything is migrated, while users write.
async fn sweep() {
    let store = Store::new();
    old_documents(&User::new(&store)).await;
    let user = User::new(&store);
    let pstate = user.pstate.clone();
    let sweeping = spawn(async move { pstate.migrate_all().page_size(1).run().await.unwrap() });
    let tasks = [spawn(user.clone().read(2)), spawn(user.clone().work(3))];
    for task in tasks {
        task.await.unwrap();
    }
    assert!(sweeping.await.unwrap().finished);
    user.check().await;
}

/// A store that is unavailable now and then. Meanwhile time passes, in the end more of it than a write
/// whose effect is unknown keeps its key out of the cache.
async fn unavailable() {
    unreliable(Fault::Unavailable, Duration::from_secs(100)).await;
}

/// A store that carries out writes after it has reported that they took too long. All of that takes
/// no more than a moment.
async fn late() {
    unreliable(Fault::Late, Duration::from_micros(1)).await;
}

/// A store with a fault, behind what a program may put in front of it.
async fn unreliable(fault: Fault, delay: Duration) {
    let store = Store::with_fault(fault);
    let mut adapter: Arc<dyn Adapter> = Arc::new(StoreAdapter(store.clone()));
    if random(2) == 0 {
        adapter = Arc::new(TimeoutLayer::new(adapter, delay));
    }
    if random(2) == 0 {
        adapter = Arc::new(RetryLayer::new(adapter).first_delay(delay).max_delay(delay));
    }
    let writer = small_writer().flush_interval(delay).retry_delay(delay, delay);
    let pstate = builder(adapter).migration_writer(writer).build().unwrap();
    let user = User::of(&store, pstate).patient();
    old_documents(&user).await;
    let tasks = [
        spawn(user.clone().read(3)),
        spawn(user.clone().work(3)),
        spawn(user.clone().work(2)),
        spawn(user.clone().flush()),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    store.mend();
    user.check().await;
}

#[test]
fn one_handle_in_any_schedule() {
    check(|| one_handle(Store::new()));
}

#[test]
fn two_handles_in_any_schedule() {
    check(two_handles);
}

#[test]
fn two_handles_of_which_neither_is_stale_in_any_schedule() {
    check(|| two_handles_that_agree(Store::new()));
}

#[test]
fn two_spaces_in_any_schedule() {
    check(two_spaces);
}

#[test]
fn a_sweep_beside_users_in_any_schedule() {
    check(sweep);
}

#[test]
fn a_store_that_is_unavailable_in_any_schedule() {
    check(unavailable);
}

#[test]
fn a_store_that_is_late_in_any_schedule() {
    check(late);
}

#[test]
fn a_schedule_can_be_replayed() {
    check_repeatable(|| one_handle(Store::new()));
    check_repeatable(two_handles);
    check_repeatable(unavailable);
}
