//! The faults of a `FaultLayer`: what the caller sees, what takes effect, what the log says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pstate_core::{
    Adapter, Batch, Error, ErrorKind, Key, MemoryAdapter, Result, Scan, Space, Write,
};
use pstate_testkit::{Call, FaultLayer, FaultRates, Moment};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn memory() -> (Arc<MemoryAdapter>, Arc<FaultLayer>) {
    let memory = Arc::new(MemoryAdapter::new());
    (memory.clone(), Arc::new(FaultLayer::new(memory)))
}

fn seeded(seed: u64, rates: FaultRates) -> (Arc<MemoryAdapter>, Arc<FaultLayer>) {
    let memory = Arc::new(MemoryAdapter::new());
    (memory.clone(), Arc::new(FaultLayer::seeded(memory, seed, rates)))
}

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "gone")
}

fn key(id: &str) -> Key {
    format!("card:{id}").parse().unwrap()
}

/// Stores a text under `card:1`.
async fn put(adapter: &dyn Adapter, text: &str) -> Result<()> {
    put_at(adapter, "1", text).await
}

async fn put_at(adapter: &dyn Adapter, id: &str, text: &str) -> Result<()> {
    let batch = Batch::each(vec![Write::put(key(id), text.as_bytes())]);
    adapter.write(&Space::default(), &batch).await.map(|_| ())
}

/// The text under `card:1`; empty if there is none.
async fn get(adapter: &dyn Adapter) -> Result<String> {
    get_at(adapter, "1").await
}

async fn get_at(adapter: &dyn Adapter, id: &str) -> Result<String> {
    let records = adapter.multi_get(&Space::default(), &[key(id)]).await?;
    let record = records.into_iter().next().flatten();
    Ok(record.map_or_else(String::new, |record| String::from_utf8(record.bytes.to_vec()).unwrap()))
}

/// One call of each kind.
async fn call(adapter: &dyn Adapter, call: Call) -> Result<()> {
    let space = Space::default();
    match call {
        Call::Read => adapter.multi_get(&space, &[key("1")]).await.map(|_| ()),
        Call::Write => put(adapter, "{}").await,
        Call::Scan => {
            let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
            adapter.scan(&space, &scan).await.map(|_| ())
        }
        Call::Spaces => adapter.spaces().await.map(|_| ()),
        Call::Flush => adapter.flush().await,
        Call::Close => adapter.close().await,
    }
}

const EACH_CALL: [Call; 6] =
    [Call::Read, Call::Write, Call::Scan, Call::Spaces, Call::Flush, Call::Close];

/// The last call of the log.
fn last_line(faults: &FaultLayer) -> String {
    faults.log().lines().pop().unwrap()
}

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
async fn a_call_that_fails_after_has_had_its_effect() {
    let (memory, faults) = memory();
    faults.fail_after(Call::Write, gone());
    assert_eq!(put(&*faults, "a").await.unwrap_err().message(), "gone");
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn a_call_that_fails_early_has_its_effect_when_it_is_released() {
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
        let write = tokio::spawn({
            let faults = faults.clone();
            async move { put(&*faults, "a").await }
        });
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
    let write = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
    get(&*faults).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    write.await.unwrap().unwrap();
    assert_eq!((started.elapsed(), get(&*memory).await.unwrap()), (SECOND, "a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn of_two_calls_in_the_wrong_order_the_first_is_done_last() {
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
async fn a_call_that_nobody_overtakes_goes_on() {
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
async fn a_call_on_its_way_when_the_connection_is_lost_has_no_effect() {
    let (memory, faults) = memory();
    let held = faults.hold(Call::Write, Moment::Before);
    let write = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
    held.reached().await;
    faults.disconnect();
    faults.reconnect();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    faults.settled().await;
    assert_eq!(get(&*memory).await.unwrap(), "");
}

#[tokio::test]
async fn a_call_that_the_adapter_works_on_when_the_connection_is_lost_takes_effect() {
    let (memory, adapter) = memory();
    let faults = Arc::new(FaultLayer::new(adapter.clone()));
    let held = adapter.hold(Call::Write, Moment::Before);
    let write = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
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
async fn a_call_that_was_not_answered_when_the_connection_was_lost_has_taken_effect() {
    let (memory, faults) = memory();
    let held = faults.hold(Call::Write, Moment::After);
    let write = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
    held.reached().await;
    faults.disconnect();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
    assert_eq!(get(&*memory).await.unwrap(), "a");
}

#[tokio::test]
async fn a_panic_is_the_callers() {
    let (memory, faults) = memory();
    faults.panic(Call::Write);
    let panicked = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
    assert!(panicked.await.unwrap_err().is_panic());
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
async fn what_is_asked_for_happens_in_order_and_waits_for_a_connection() {
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

/// Many calls, one after the other, as the log has them.
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
async fn what_a_test_asks_for_does_not_move_the_random_faults() {
    let rates = FaultRates::none().fail_before(0.5);
    let outcomes = async |faults: &FaultLayer| -> Vec<bool> {
        let mut outcomes = Vec::new();
        for _ in 0..64 {
            outcomes.push(put(faults, "{}").await.is_ok());
        }
        outcomes
    };
    let (_, plain) = seeded(7, rates);
    let (_, asked) = seeded(7, rates);
    asked.delay(Call::Write, SECOND);
    asked.disconnect();
    asked.reconnect();
    assert_eq!(outcomes(&plain).await[1..], outcomes(&asked).await[1..]);
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
async fn a_random_error_tells_the_truth_about_the_effect() {
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
async fn each_rate_is_that_of_its_fault() {
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
async fn a_connection_lost_at_random_is_lost_for_a_while_and_for_those_under_way() {
    let (memory, faults) = seeded(7, FaultRates::none().lost_connection(0.05));
    let held = faults.hold(Call::Write, Moment::After);
    let write = tokio::spawn({
        let faults = faults.clone();
        async move { put(&*faults, "a").await }
    });
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
async fn healed_it_passes_everything_and_what_came_early_settles() {
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

#[tokio::test(start_paused = true)]
async fn the_log_says_what_happened() {
    let (_memory, faults) = memory();
    let timeout = Error::new(ErrorKind::Timeout, "no answer");
    put(&*faults, "a").await.unwrap();
    faults.fail_after(Call::Write, timeout.clone());
    put(&*faults, "b").await.unwrap_err();
    drop(faults.fail_early(Call::Write, timeout));
    put(&*faults, "c").await.unwrap_err();
    faults.settled().await;
    faults.delay(Call::Read, SECOND);
    get(&*faults).await.unwrap();
    faults.disconnect();
    faults.flush().await.unwrap_err();
    let expected = r#"
  1  write(default, each: put card:1 "a") -> [stored r1]
  2  write(default, each: put card:1 "b") -> error (timeout): no answer   [fault: fails after its effect]
  3  write(default, each: put card:1 "c") -> error (timeout): no answer   [fault: fails, its effect comes later]
  4  multi_get(default: card:1) -> ["c" at r2]   [fault: delayed before its effect]
  5  flush() -> error (unavailable, safe to retry): there is no connection   [fault: no connection]"#;
    assert_eq!(format!("\n{}", faults.log().lines().join("\n")), expected);
}
