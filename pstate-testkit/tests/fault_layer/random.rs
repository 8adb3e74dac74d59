//! Random faults from a seed.

use std::time::Duration;

use pstate_core::ErrorKind;
use pstate_testkit::{Call, FaultLayer, FaultRates, Moment};
use tokio::time::Instant;

use crate::fixture::{SECOND, call, get, get_at, put, put_at, seeded, spawn_put};

/// Makes many calls, one at a time, and returns the log.
async fn history_of(faults: &FaultLayer) -> Vec<String> {
    for id in 0..200 {
        let _ = put_at(faults, &id.to_string(), "{}").await;
        let _ = get_at(faults, &id.to_string()).await;
        faults.settled().await;
    }
    faults.log().lines()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    let (_, one) = seeded(7, FaultRates::default());
    let (_, same) = seeded(7, FaultRates::default());
    let (_, other) = seeded(8, FaultRates::default());
    let history = history_of(&one).await;
    assert_eq!(history, history_of(&same).await);
    assert_ne!(history, history_of(&other).await);
    for fault in ["fails before", "fails after", "comes later", "delayed", "overtaken", "no conn"] {
        assert!(history.iter().any(|line| line.contains(fault)), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn scheduled_faults_do_not_shift_random_ones() {
    let rates = FaultRates::none().fail_before(0.5);
    let outcomes = async |faults: &FaultLayer| -> Vec<bool> {
        let mut outcomes = Vec::new();
        for _ in 0..64 {
            outcomes.push(put(faults, "{}").await.is_ok());
        }
        outcomes
    };
    let (_, plain) = seeded(7, rates);
    let (_, scheduled) = seeded(7, rates);
    scheduled.delay(Call::Write, SECOND);
    scheduled.disconnect();
    scheduled.reconnect();
    assert_eq!(outcomes(&plain).await[1..], outcomes(&scheduled).await[1..]);
}

#[tokio::test]
async fn without_rates_everything_passes() {
    let (memory, faults) = seeded(7, FaultRates::none());
    for id in 0..200 {
        put_at(&*faults, &id.to_string(), "{}").await.unwrap();
        assert_eq!(get_at(&*faults, &id.to_string()).await.unwrap(), "{}");
        assert_eq!(get_at(&*memory, &id.to_string()).await.unwrap(), "{}");
    }
    assert!(faults.log().operations().iter().all(|call| call.fault.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_random_error_is_retryable_only_without_an_effect() {
    let (memory, faults) = seeded(7, FaultRates::default());
    let (mut done, mut undone, mut unknown) = (0, 0, 0);
    for id in 0..2_000 {
        let result = put_at(&*faults, &id.to_string(), "{}").await;
        faults.settled().await;
        let stored = get_at(&*memory, &id.to_string()).await.unwrap() == "{}";
        match result {
            Ok(()) => {
                assert!(stored);
                done += 1;
            }
            Err(error) if error.is_retryable() => {
                assert_eq!((error.kind(), stored), (ErrorKind::Unavailable, false));
                undone += 1;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable));
                assert!(stored, "one call at a time, so all of these take effect");
                unknown += 1;
            }
        }
    }
    assert!(done > 1_600 && undone > 50 && unknown > 50, "{done} {undone} {unknown}");
}

#[tokio::test(start_paused = true)]
async fn a_random_error_of_a_read_may_be_retried() {
    let rates = FaultRates::default().fail_after(0.4).fail_early(0.4).lost_connection(0.1);
    let (_, faults) = seeded(7, rates);
    for each in [Call::Read, Call::Scan, Call::Spaces, Call::Flush] {
        let mut failed = 0;
        for _ in 0..100 {
            if let Err(error) = call(&*faults, each).await {
                assert!(error.is_retryable(), "{each:?}: {error}");
                failed += 1;
            }
        }
        assert!(failed > 50, "{each:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_rate_controls_its_fault() {
    let none = FaultRates::none;
    for (rates, faults_seen) in [
        (none().fail_before(1.0), vec!["fails before its effect"]),
        (none().fail_after(1.0), vec!["fails after its effect"]),
        (none().fail_early(1.0), vec!["fails, its effect comes later"]),
        (none().lost_connection(1.0), vec!["no connection"]),
        (none().delay(1.0), vec!["delayed after its effect", "delayed before its effect"]),
        (none().reorder(1.0), vec!["overtaken by the next call"]),
    ] {
        let (_, faults) = seeded(7, rates);
        history_of(&faults).await;
        let operations = faults.log().operations();
        let mut seen: Vec<_> = operations.iter().map(|call| call.fault.unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, faults_seen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_no_longer_than_the_longest() {
    let (_, faults) = seeded(7, FaultRates::none().delay(1.0).longest_delay(SECOND));
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        let started = Instant::now();
        put(&*faults, "{}").await.unwrap();
        longest = longest.max(started.elapsed());
    }
    assert!(longest > SECOND / 2 && longest <= SECOND, "{longest:?}");
}

#[tokio::test]
async fn a_connection_lost_at_random_is_lost_for_several_calls_and_those_in_flight() {
    let (memory, faults) = seeded(7, FaultRates::none().lost_connection(0.05));
    let held = faults.hold(Call::Write, Moment::After);
    let write = spawn_put(&faults);
    held.reached().await;
    let mut outcomes = Vec::new();
    for _ in 0..400 {
        outcomes.push(get(&*faults).await.is_ok());
    }
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert_eq!(get(&*memory).await.unwrap(), "a");
    let longest = outcomes.split(|passed| *passed).map(<[bool]>::len).max();
    assert!(longest > Some(3), "{longest:?}");
    assert!(outcomes.iter().filter(|passed| **passed).count() > 200);
}

#[tokio::test(start_paused = true)]
async fn a_healed_layer_passes_everything_and_early_failures_settle() {
    let rates = FaultRates::none().fail_early(0.5).lost_connection(1.0).longest_delay(SECOND);
    let (memory, faults) = seeded(7, rates);
    let mut uncertain = Vec::new();
    for id in 0..50 {
        let result = put_at(&*faults, &id.to_string(), "{}").await;
        if !result.unwrap_err().is_retryable() {
            uncertain.push(id.to_string());
        }
    }
    assert!(!uncertain.is_empty());
    faults.heal();
    put_at(&*faults, "last", "{}").await.unwrap();
    faults.settled().await;
    for id in uncertain {
        assert_eq!(get_at(&*memory, &id).await.unwrap(), "{}");
    }
}
