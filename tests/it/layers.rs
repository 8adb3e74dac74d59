//! Retry and timeout around an adapter.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Error, ErrorKind, PState, RetryLayer, TimeoutLayer};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment};
use serde_json::json;
use tokio::time::Instant;

use crate::stores::Store;

const LIMIT: Duration = Duration::from_secs(1);

/// `RetryLayer(TimeoutLayer(counting(faults(memory))))`: each attempt has its own limit.
fn stack() -> (Arc<FaultLayer>, Arc<CountingLayer>, PState) {
    let faults = Store::memory().faults();
    let counting = Arc::new(CountingLayer::new(faults.clone()));
    let timeout = Arc::new(TimeoutLayer::new(counting.clone(), LIMIT));
    let retry = RetryLayer::new(timeout).attempts(3).first_delay(Duration::from_millis(100));
    let pstate = PState::builder(Arc::new(retry)).build().unwrap();
    (faults, counting, pstate)
}

fn passing() -> Error {
    Error::new(ErrorKind::Unavailable, "busy").retryable()
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_after_growing_delays() {
    let (faults, counting, pstate) = stack();
    faults.fail(Call::Write, passing());
    faults.fail(Call::Write, passing());
    let started = Instant::now();
    pstate.put("card:1", &json!({})).await.unwrap();
    assert_eq!(counting.take().writes, 3);
    // 50 to 100 ms after the first failure, 100 to 200 ms after the second.
    let waited = started.elapsed();
    let bounds = Duration::from_millis(150)..Duration::from_millis(305);
    assert!(bounds.contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_the_error_is_the_callers() {
    let (faults, counting, pstate) = stack();
    for _ in 0..3 {
        faults.fail(Call::Read, passing());
    }
    let error = pstate.get("card:1").await.unwrap_err();
    assert_eq!((error.message(), counting.take().reads), ("busy", 3));
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_repeated_is_tried_once() {
    let (faults, counting, pstate) = stack();
    faults.fail(Call::Write, Error::new(ErrorKind::Unavailable, "who knows"));
    pstate.put("card:1", &json!({})).await.unwrap_err();
    assert_eq!(counting.take().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_read_has_its_own_limit() {
    let (faults, counting, pstate) = stack();
    let held: Vec<_> = (0..3).map(|_| faults.hold(Call::Read, Moment::Before)).collect();
    let started = Instant::now();
    let error = pstate.get("card:1").await.unwrap_err();
    assert_eq!(error.to_string(), "get: card:1: took longer than 1s");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
    assert_eq!(counting.take().reads, 3);
    assert!(started.elapsed() >= 3 * LIMIT);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_took_too_long_is_not_repeated() {
    let (faults, counting, pstate) = stack();
    let held = faults.hold(Call::Write, Moment::After);
    let error = pstate.put("card:1", &json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false));
    assert_eq!(counting.take().writes, 1);
    drop(held);
    // It had happened, and nothing hides it.
    assert!(pstate.get("card:1").await.unwrap().is_some());
}
