//! Every duration and every size that can be set, at its ends.

use std::sync::Arc;
use std::time::Duration;

use pstate::{
    Adapter, Builder, Error, ErrorKind, MemoryAdapter, MigrationWriter, PState, RetryLayer,
    Staleness, Thresholds, TimeoutLayer, Warm, copy,
};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;

use crate::stores::{deck_of, on_each_store};

const DURATIONS: [Duration; 4] =
    [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX];

const SIZES: [usize; 3] = [0, 1, usize::MAX];

const CARDS: usize = 5;

async fn old_cards(adapter: Arc<dyn Adapter>) {
    let plain = PState::builder(adapter).build().unwrap();
    let deck = deck_of(CARDS);
    for card in 0..CARDS {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
}

/// A handle with these options reads, migrates, writes back, sees what others write, and closes.
async fn works(set: impl FnOnce(Builder) -> Builder) {
    let memory = Arc::new(MemoryAdapter::new());
    old_cards(memory.clone()).await;
    let builder = PState::builder(memory.clone()).schema(workload::schema().unwrap());
    let pstate = set(builder).build().unwrap();
    let deck = deck_of(CARDS);
    for _ in 0..2 {
        for card in 0..CARDS {
            let read = pstate.get(deck.card_key(card)).await.unwrap().unwrap();
            assert_eq!(read.version(), 2);
        }
        // The tasks in the background get their turns.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    pstate.put("base_card:mine", &json!({"front": "hola"})).await.unwrap();
    assert!(pstate.get("base_card:mine").await.unwrap().is_some());
    pstate.flush().await.unwrap();
    let report = pstate.close().await.unwrap();
    assert_eq!(report.left, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handle_works_with_every_duration() {
    for duration in DURATIONS {
        works(|builder| builder.staleness(Staleness::AtMost(duration))).await;
        let writers = [
            MigrationWriter::default().flush_interval(duration),
            MigrationWriter::default().retry_delay(duration, Duration::MAX),
            MigrationWriter::default().retry_delay(Duration::MAX, duration),
            MigrationWriter::default().close_deadline(duration),
        ];
        for writer in writers {
            works(|builder| builder.migration_writer(writer)).await;
        }
        let thresholds = Thresholds::default()
            .slow_operation(duration)
            .slow_flush(duration)
            .repeat_after(duration);
        works(|builder| builder.thresholds(thresholds)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_works_with_every_size() {
    for size in SIZES {
        works(|builder| builder.cache_bytes(size as u64)).await;
        works(|builder| builder.time_cache_reads(u32::try_from(size).unwrap_or(u32::MAX))).await;
        let writers = [
            MigrationWriter::default().batch_size(size),
            MigrationWriter::default().queue_limit(size),
            MigrationWriter::default().queue_bytes(size),
        ];
        for writer in writers {
            works(|builder| builder.migration_writer(writer)).await;
        }
        works(|builder| builder.thresholds(Thresholds::default().long_queue(size))).await;
    }
    for batches in [false, true] {
        works(|builder| builder.batch_reads(batches)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_without_delays_does_not_keep_a_store_busy_that_is_unavailable() {
    let memory = Arc::new(MemoryAdapter::new());
    old_cards(memory.clone()).await;
    let faults = Arc::new(FaultLayer::new(memory));
    let zero = Duration::ZERO;
    let writer = MigrationWriter::default().flush_interval(zero).retry_delay(zero, zero);
    let builder = PState::builder(faults.clone()).schema(workload::schema().unwrap());
    let pstate = builder.migration_writer(writer).build().unwrap();
    pstate.get(deck_of(CARDS).card_key(0)).await.unwrap();
    faults.disconnect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    faults.reconnect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(pstate.stats().write_back.stored, 1);
}

#[tokio::test(start_paused = true)]
async fn layers_work_with_every_duration_and_number() {
    for duration in DURATIONS {
        for attempts in [0, 1, u32::MAX] {
            let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
            let retry = RetryLayer::new(faults.clone())
                .attempts(attempts)
                .first_delay(duration)
                .max_delay(Duration::from_secs(1));
            let longest = RetryLayer::new(Arc::new(retry)).max_delay(duration);
            let limits = TimeoutLayer::new(Arc::new(longest), duration).write_limit(duration);
            let pstate = PState::builder(Arc::new(limits)).build().unwrap();
            pstate.put("card:1", &json!({})).await.unwrap();
            let locked = Error::new(ErrorKind::Unavailable, "locked").retryable();
            faults.fail(Call::Read, locked);
            let read = pstate.get("card:1").await;
            assert!(read.is_ok() || duration < Duration::from_secs(1), "{read:?}");
            pstate.close().await.unwrap();
        }
    }
}

on_each_store! {
    async fn jobs_and_scans_work_with_every_size_and_rate(store: Store) {
        for size in SIZES {
            let rate = if size == 0 { 0 } else { u32::MAX };
            old_cards(store.adapter()).await;
            let pstate = store.with_schema();
            let sweep = pstate.migrate_all().page_size(size).rate(rate);
            let sweep = sweep.keep_failures(size).samples(size);
            for lease in [Duration::ZERO, Duration::MAX] {
                let dry_run = sweep.clone().lease(lease).dry_run().await.unwrap();
                assert_eq!(dry_run.done, CARDS as u64);
            }
            let report = sweep.lease(Duration::MAX).run().await.unwrap();
            assert_eq!((report.finished, report.stored), (true, CARDS as u64));

            let fresh = store.with_schema();
            let warm = Warm::new().prefix("base_card:").page_size(size).rate(rate);
            let warmed = fresh.warm(warm).unwrap().wait().await.unwrap();
            assert_eq!((warmed.finished, warmed.done), (true, CARDS));

            let page = pstate.scan("base_card:").page_size(size).page().await.unwrap();
            assert_eq!(page.documents.len(), CARDS.min(size.max(1)));

            let to = Arc::new(MemoryAdapter::new());
            let copying = copy(store.adapter(), to)
                .page_size(size)
                .page_bytes(size)
                .rate(rate)
                .keep_failures(size)
                .attempts(u32::try_from(size).unwrap_or(u32::MAX));
            assert!(copying.run().await.unwrap().is_complete());
        }
    }
}
