//! Lost connections.

use std::sync::Arc;

use pstate_core::ErrorKind;
use pstate_testkit::{Call, FaultLayer, Moment};

use crate::fixture::{EACH_CALL, call, get, memory, put, spawn_put};

/// The last call of the log.
fn last_line(faults: &FaultLayer) -> String {
    faults.log().lines().pop().unwrap()
}

#[tokio::test]
async fn without_a_connection_nothing_reaches_the_adapter() {
    let (memory, faults) = memory();
    faults.disconnect();
    for each in EACH_CALL {
        let error = call(&*faults, each).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    }
    assert_eq!(get(&*memory).await.unwrap(), "");
    faults.reconnect();
    put(&*faults, "a").await.unwrap();
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn a_call_that_has_not_reached_the_adapter_when_the_connection_is_lost_has_no_effect() {
    let (memory, faults) = memory();
    let held = faults.hold(Call::Write, Moment::Before);
    let write = spawn_put(&faults);
    held.reached().await;
    faults.disconnect();
    faults.reconnect();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    faults.settled().await;
    assert_eq!(get(&*memory).await.unwrap(), "");
}

#[tokio::test]
async fn a_call_in_the_adapter_when_the_connection_is_lost_takes_effect() {
    let (memory, adapter) = memory();
    let faults = Arc::new(FaultLayer::new(adapter.clone()));
    let held = adapter.hold(Call::Write, Moment::Before);
    let write = spawn_put(&faults);
    held.reached().await;
    faults.disconnect();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert!(last_line(&faults).ends_with("[fault: connection lost under way]"));
    assert_eq!(get(&*memory).await.unwrap(), "");
    held.release();
    faults.settled().await;
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn an_unanswered_call_when_the_connection_is_lost_has_taken_effect() {
    let (memory, faults) = memory();
    let held = faults.hold(Call::Write, Moment::After);
    let write = spawn_put(&faults);
    held.reached().await;
    faults.disconnect();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert_eq!(get(&*memory).await.unwrap(), "a");
}
