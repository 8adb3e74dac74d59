//! Scenarios: users of one or more handles, over stores that may be unreliable.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Adapter, RetryLayer, TimeoutLayer};
use shuttle::future::spawn;

use crate::schedules::{check, check_repeatable, random};
use crate::store::{Fault, Store};
use crate::store_adapter::StoreAdapter;
use crate::user::{KEYS, User, builder, small_writer};

/// Stores a document of version 1 under each key.
pub(crate) async fn put_old_documents(user: &User) {
    for key in KEYS {
        user.put_old(key).await;
    }
}

/// Reads, which queue write-backs, beside writes and a flush of the same documents.
pub(crate) async fn one_handle(store: Arc<Store>) {
    put_old_documents(&User::new(&store)).await;
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

/// Two handles, each with a cache and a migration writer, over one store.
async fn two_handles() {
    let store = Store::new();
    put_old_documents(&User::new(&store)).await;
    let users = [User::new(&store), User::new(&store)];
    let tasks = users.clone().map(|user| (spawn(user.clone().read(2)), spawn(user.work(3))));
    for (reading, working) in tasks {
        reading.await.unwrap();
        working.await.unwrap();
    }
    for user in users {
        // With unbounded staleness, the cache may lack the writes of the other handle.
        user.settle().await;
    }
    User::new(&store).check().await;
}

/// Two handles over one store without staleness: each read observes the writes of the other.
pub(crate) async fn two_fresh_handles(store: Arc<Store>) {
    let users = User::two_fresh(&store);
    put_old_documents(&users[0]).await;
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

/// The same keys in two spaces, which must stay separate.
async fn two_spaces() {
    let store = Store::new();
    let user = User::new(&store);
    let users = ["red", "blue"].map(|space| user.in_space(space));
    for user in &users {
        put_old_documents(user).await;
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

/// A sweep beside users.
async fn sweep() {
    let store = Store::new();
    put_old_documents(&User::new(&store)).await;
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

/// A store that is unavailable at times. The delays add up to more time than an indeterminate write
/// keeps its key out of the cache.
async fn unavailable() {
    unreliable(Fault::Unavailable, Duration::from_secs(100)).await;
}

/// A store that applies writes after they have timed out. The delays are so short that
/// indeterminate writes keep their keys out of the cache throughout.
async fn late() {
    unreliable(Fault::Late, Duration::from_micros(1)).await;
}

/// A store with a fault, behind the layers that a program may use.
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
    let user = User::of(&store, pstate).tolerating_errors();
    put_old_documents(&user).await;
    let tasks = [
        spawn(user.clone().read(3)),
        spawn(user.clone().work(3)),
        spawn(user.clone().work(2)),
        spawn(user.clone().flush()),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    store.heal();
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
fn two_fresh_handles_in_any_schedule() {
    check(|| two_fresh_handles(Store::new()));
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
