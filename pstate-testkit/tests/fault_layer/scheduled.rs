//! The faults that a test schedules.

use std::time::Duration;

use pstate_core::{Error, ErrorKind};
use pstate_testkit::{Call, Moment};
use tokio::time::Instant;

use crate::fixture::{EACH_CALL, SECOND, call, get, gone, memory, put, spawn_put};

#[tokio::test]
async fn a_call_that_fails_before_has_no_effect() {
    let (memory, faults) = memory();
    faults.fail(Call::Write, gone());
    assert_eq!(put(&*faults, "a").await.unwrap_err().message(), "gone");
    assert_eq!(get(&*memory).await.unwrap(), "");
    put(&*faults, "b").await.unwrap();
    assert_eq!(get(&*memory).await.unwrap(), "b");
}

#[tokio::test]
async fn a_call_that_fails_after_has_taken_effect() {
    let (memory, faults) = memory();
    faults.fail_after(Call::Write, gone());
    assert_eq!(put(&*faults, "a").await.unwrap_err().message(), "gone");
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn a_call_that_fails_early_takes_effect_when_it_is_released() {
    let (memory, faults) = memory();
    let held = faults.fail_early(Call::Write, gone());
    assert_eq!(put(&*faults, "a").await.unwrap_err().message(), "gone");
    put(&*faults, "b").await.unwrap();
    held.reached().await;
    assert_eq!(get(&*memory).await.unwrap(), "b");
    held.release();
    faults.settled().await;
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn a_held_call_waits_before_or_after_its_effect_until_it_is_released() {
    for (moment, meanwhile) in [(Moment::Before, ""), (Moment::After, "a")] {
        let (memory, faults) = memory();
        let held = faults.hold(Call::Write, moment);
        let write = spawn_put(&faults);
        held.reached().await;
        assert_eq!(get(&*memory).await.unwrap(), meanwhile, "{moment:?}");
        assert!(!write.is_finished());
        held.release();
        write.await.unwrap().unwrap();
        assert_eq!(get(&*memory).await.unwrap(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_takes_that_much_longer_and_others_pass() {
    let (memory, faults) = memory();
    faults.delay(Call::Write, SECOND);
    let started = Instant::now();
    let write = spawn_put(&faults);
    get(&*faults).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    write.await.unwrap().unwrap();
    assert_eq!((started.elapsed(), get(&*memory).await.unwrap()), (SECOND, "a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn of_two_reordered_calls_the_first_takes_effect_last() {
    let (memory, faults) = memory();
    faults.reorder(Call::Write);
    let (first, second) = tokio::join!(put(&*faults, "first"), put(&*faults, "second"));
    first.unwrap();
    second.unwrap();
    assert_eq!(get(&*memory).await.unwrap(), "first");
    let ticks: Vec<_> = faults.log().operations().iter().map(|call| call.returned).collect();
    assert!(ticks[1] < ticks[0], "{ticks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_other_overtakes_completes() {
    let (_memory, faults) = memory();
    for _ in 0..10 {
        faults.reorder(Call::Write);
        put(&*faults, "alone").await.unwrap();
    }
    // A chain of calls each of which waits for the next.
    for _ in 0..3 {
        faults.reorder(Call::Read);
    }
    let read = || get(&*faults);
    let (first, second, third) = tokio::join!(read(), read(), read());
    assert_eq!([first.unwrap(), second.unwrap(), third.unwrap()], ["alone"; 3]);
}

#[tokio::test]
async fn a_panic_is_the_callers() {
    let (memory, faults) = memory();
    faults.panic(Call::Write);
    assert!(spawn_put(&faults).await.unwrap_err().is_panic());
    assert_eq!(get(&*memory).await.unwrap(), "");
    faults.settled().await;
}

#[tokio::test]
async fn every_method_can_be_made_to_fail() {
    let (_memory, faults) = memory();
    for each in EACH_CALL {
        faults.fail(each, gone());
    }
    for each in EACH_CALL {
        assert_eq!(call(&*faults, each).await.unwrap_err().message(), "gone", "{each:?}");
        call(&*faults, each).await.unwrap();
    }
}

#[tokio::test]
async fn scheduled_faults_happen_in_order_and_wait_for_a_connection() {
    let (_memory, faults) = memory();
    faults.fail(Call::Write, Error::new(ErrorKind::Other, "first"));
    faults.fail(Call::Read, Error::new(ErrorKind::Other, "of a read"));
    faults.fail(Call::Write, Error::new(ErrorKind::Other, "second"));
    faults.disconnect();
    put(&*faults, "a").await.unwrap_err();
    faults.reconnect();
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(put(&*faults, "a").await.unwrap_err().message().to_owned());
    }
    assert_eq!(seen, ["first", "second"]);
    assert_eq!(get(&*faults).await.unwrap_err().message(), "of a read");
}
