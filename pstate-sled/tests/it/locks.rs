//! One handle at a time.

use std::path::Path;
use std::thread;
use std::time::Duration;

use pstate_core::{Adapter, ErrorKind};
use pstate_sled::{SledAdapter, SledConfig};

use crate::child::{self, Child, say};
use crate::fixture::{Place, get, put};

fn impatient() -> SledConfig {
    SledConfig::default().busy_timeout(Duration::from_millis(10))
}

#[track_caller]
fn refused_as_open(path: &Path) {
    let error = SledAdapter::open_with(path, impatient()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable());
    assert_eq!(error.operation(), Some("open"));
    assert!(
        error.message().contains("is open already, in this process or another (waited 10ms)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_second_handle_in_the_same_process_is_refused() {
    let place = Place::new();
    let store = place.open();
    refused_as_open(&place.path("app"));
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    // At once: a closed store does not keep the next handle waiting.
    let again = SledAdapter::open_with(place.path("app"), impatient().busy_timeout(Duration::ZERO));
    assert_eq!(get(&again.unwrap(), "card:1").await.unwrap(), b"{}");
}

/// The process of the next test.
#[tokio::test]
#[ignore = "a process of its own, started by another test"]
async fn child_that_holds_the_store() {
    let store = SledAdapter::open(child::store()).unwrap();
    put(&store, "card:1", "theirs").await;
    say("open");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_store_that_another_process_has_open_is_refused_until_that_ends() {
    let place = Place::new();
    let mut child = Child::start("locks::child_that_holds_the_store", &place.path("app"));
    assert_eq!(child.hear().unwrap(), "open");
    refused_as_open(&place.path("app"));
    child.kill();
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_waits_for_a_handle_that_is_closed_in_time() {
    let place = Place::new();
    let store = place.open();
    let path = place.path("app");
    let config = SledConfig::default().busy_timeout(Duration::from_secs(60));
    let opening = thread::spawn(move || SledAdapter::open_with(path, config));
    store.close().await.unwrap();
    opening.join().unwrap().unwrap();
}
