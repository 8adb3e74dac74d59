//! What is left when the process ends.
//!
//! That [`Flush::EveryWrite`] loses nothing to a kill is tested by the conformance suite.

use std::time::Duration;

use pstate_core::{Adapter, Durability, Space};
use pstate_sled::{Flush, SledAdapter, SledConfig};

use crate::child::{self, Child, say};
use crate::fixture::{Place, get, keys, put, same};

/// So long that it doesn't come while a test runs.
fn in_an_hour() -> SledConfig {
    SledConfig::default().flush(Flush::Every(Duration::from_secs(60 * 60)))
}

#[test]
fn what_is_declared_is_what_survives_a_kill() {
    let place = Place::new();
    let declared = |config| place.open_with(config).capabilities().durability;
    assert_eq!(declared(SledConfig::default()), Durability::Process);
    assert_eq!(declared(in_an_hour()), Durability::None);
}

#[tokio::test]
async fn closing_flushes() {
    let place = Place::new();
    let store = place.open_with(in_an_hour());
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"{}");
}

#[tokio::test]
async fn dropping_flushes() {
    let place = Place::new();
    let store = place.open_with(in_an_hour());
    put(&store, "card:1", "{}").await;
    drop(store);
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"{}");
}

/// The process of the next test.
#[tokio::test]
#[ignore = "a process of its own, started by another test"]
async fn child_that_flushes_by_hand() {
    let store = SledAdapter::open_with(child::store(), in_an_hour()).unwrap();
    put(&store, "card:1", "flushed").await;
    store.flush().await.unwrap();
    put(&store, "card:1", "not flushed").await;
    say("done");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_kill_takes_what_was_written_after_the_last_flush() {
    let place = Place::new();
    let mut child = Child::start("durability::child_that_flushes_by_hand", &place.path("app"));
    assert_eq!(child.hear().unwrap(), "done");
    child.kill();
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"flushed");
}

/// The process of the next test.
#[tokio::test]
#[ignore = "a process of its own, started by another test"]
async fn child_that_is_flushed_by_the_clock() {
    let config = SledConfig::default().flush(Flush::Every(Duration::from_millis(1)));
    let store = SledAdapter::open_with(child::store(), config).unwrap();
    let keys = keys(40);
    for n in 1_u32.. {
        // Of another length each time, so that half a batch would show.
        let value = n.to_string().repeat(1 + n as usize % 50);
        store.write(&Space::default(), &same(&keys, &value)).await.unwrap();
        if n.is_multiple_of(100) {
            say(&n.to_string());
        }
    }
}

#[tokio::test]
async fn a_kill_between_two_flushes_leaves_no_half_of_a_batch() {
    let place = Place::new();
    for _ in 0..10 {
        let mut child =
            Child::start("durability::child_that_is_flushed_by_the_clock", &place.path("app"));
        child.hear().unwrap();
        child.kill();
        let store = place.open();
        let records = store.multi_get(&Space::default(), &keys(40)).await.unwrap();
        assert!(records.windows(2).all(|pair| pair[0] == pair[1]), "{records:?}");
        store.close().await.unwrap();
    }
}
