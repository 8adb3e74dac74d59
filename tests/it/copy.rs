//! Moving between stores: everything arrives, whatever happens on the way.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use pstate::{
    Adapter, Batch, CopyDifferenceKind, Error, ErrorKind, JobState, Key, MemoryAdapter, PState,
    Record, Scan, Space, Write, copy,
};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment};
use serde_json::json;
use tokio::time::Instant;

use crate::stores::Store;
use crate::typed::ByKey;

mod again;
mod verify;

/// Documents of several spaces, odd keys and values among them.
fn odd_documents() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut documents = Vec::new();
    for number in 0..150 {
        let value = json!({ "front": format!("card {number}"), "rank": number });
        documents.push(("default", format!("card:{number:04}"), value.to_string().into()));
        documents.push(("acme", format!("deck:{number}"), number.to_string().into()));
    }
    let ids = ["%", "_", "A", "a", "é", "e\u{301}", "İ", "a:b:c", " ", "日本語", "\u{10ffff}"];
    for id in ids {
        documents.push(("odd-keys_1", format!("card:{id}"), id.into()));
    }
    documents.push(("odd-keys_1", format!("{}:{}", "t".repeat(64), "x".repeat(512)), b"1".into()));
    documents.push(("values", "card:empty".into(), Vec::new()));
    documents.push(("values", "card:every_byte".into(), (0..=255).collect()));
    documents.push(("values", "card:large".into(), vec![b'x'; 1 << 20]));
    documents
}

async fn put(adapter: &Arc<dyn Adapter>, space: &str, key: &str, value: &[u8]) {
    let batch = Batch::each(vec![Write::put(key.parse().unwrap(), value)]);
    adapter.write(&space.parse().unwrap(), &batch).await.unwrap();
}

async fn fill(adapter: &Arc<dyn Adapter>, documents: &[(&str, String, Vec<u8>)]) {
    for (space, key, value) in documents {
        put(adapter, space, key, value).await;
    }
}

/// So many cards of one space.
async fn cards(count: usize) -> Arc<dyn Adapter> {
    let adapter: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    for number in 0..count {
        put(&adapter, "default", &format!("card:{number:04}"), number.to_string().as_bytes()).await;
    }
    adapter
}

fn memory() -> Arc<dyn Adapter> {
    Arc::new(MemoryAdapter::new())
}

fn faults(adapter: &Arc<dyn Adapter>) -> Arc<FaultLayer> {
    Arc::new(FaultLayer::new(adapter.clone()))
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "gone")
}

fn broken() -> Error {
    Error::new(ErrorKind::Other, "broken")
}

/// Everything that a store holds, notes of PState's own included.
async fn contents(adapter: &Arc<dyn Adapter>) -> Vec<(Space, Key, Vec<u8>)> {
    let mut found = Vec::new();
    for space in adapter.spaces().await.unwrap() {
        let limit = NonZeroUsize::new(usize::MAX >> 1).unwrap();
        let scan = Scan { prefix: String::new(), after: None, limit };
        for (key, Record { bytes, .. }) in adapter.scan(&space, &scan).await.unwrap().records {
            found.push((space.clone(), key, bytes.to_vec()));
        }
    }
    found
}

async fn everything_arrives(from: Arc<dyn Adapter>, to: Arc<dyn Adapter>) {
    let documents = odd_documents();
    fill(&from, &documents).await;
    let copying = copy(from.clone(), to.clone()).page_size(40).page_bytes(64 << 10);
    let report = copying.start().await.unwrap().wait().await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.documents, documents.len() as u64);
    assert_eq!((report.written, report.failed, report.documents_before), (report.documents, 0, 0));
    let bytes: usize = documents.iter().map(|(_, _, value)| value.len()).sum();
    assert_eq!(report.bytes, bytes as u64);
    let spaces: Vec<&str> = report.spaces.iter().map(Space::as_str).collect();
    assert_eq!(spaces, ["acme", "default", "odd-keys_1", "values"]);
    let verification = report.verification.unwrap();
    assert!(verification.is_equal(), "{verification}");
    for digests in verification.spaces.values() {
        assert_eq!(digests.from, digests.to);
    }
    // No note is left behind.
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_from_memory_in_sqlite() {
    let to = Store::sqlite();
    everything_arrives(memory(), to.adapter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_from_sqlite_in_memory() {
    let from = Store::sqlite();
    everything_arrives(from.adapter(), memory()).await;
}

#[cfg(all(feature = "redis", feature = "sled"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_from_sled_in_redis() {
    let (from, to) = (Store::sled(), Store::redis().await);
    everything_arrives(from.adapter(), to.adapter()).await;
}

#[cfg(all(feature = "redis", feature = "sled"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_from_redis_in_sled() {
    let (from, to) = (Store::redis().await, Store::sled());
    everything_arrives(from.adapter(), to.adapter()).await;
}

#[tokio::test]
async fn the_documents_are_there_for_a_handle_on_the_target() {
    let (from, to) = (memory(), memory());
    let pstate = PState::builder(from.clone()).build().unwrap();
    let deck = crate::stores::deck_of(100);
    deck.store(&pstate).await.unwrap();
    assert!(copy(from, to.clone()).run().await.unwrap().is_complete());
    let pstate = PState::builder(to).build().unwrap();
    let loaded = pstate.preload("base_deck:spanish", "cards.translations").await.unwrap().unwrap();
    assert_eq!(loaded.len(), 401);
    let found: Vec<_> = pstate.scan("").stream().try_collect().await.unwrap();
    assert_eq!(found.len(), 401);
    assert_eq!(pstate.spaces().await.unwrap(), [Space::default()]);
}

#[tokio::test]
async fn an_empty_store_is_copied_at_once() {
    let report = copy(memory(), memory()).run().await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.documents, report.spaces.len()), (0, 0));
}

#[tokio::test]
async fn only_the_spaces_that_are_asked_for_are_copied() {
    let (from, to) = (memory(), memory());
    for space in ["a", "b", "c", "d"] {
        put(&from, space, "card:1", space.as_bytes()).await;
    }
    // What is not asked for is not in the way.
    put(&to, "d", "card:1", b"theirs").await;
    let copying = copy(from, to.clone()).space("c").unwrap().space("a").unwrap();
    let report = copying.space("a").unwrap().run().await.unwrap();
    assert!(report.is_complete(), "{report}");
    let found: Vec<_> = contents(&to).await.into_iter().map(|(space, ..)| space).collect();
    assert_eq!(found.iter().map(Space::as_str).collect::<Vec<_>>(), ["a", "c", "d"]);
}

#[tokio::test]
async fn spaces_of_our_own_are_neither_copied_nor_touched() {
    let (from, to) = (cards(1).await, memory());
    put(&from, "pstate-sweeps", "sweep:default", b"{}").await;
    put(&from, "pstate-copies", "copy:default", b"{}").await;
    put(&to, "pstate-sweeps", "sweep:other", b"{}").await;
    let before = contents(&from).await;
    assert!(copy(from.clone(), to.clone()).run().await.unwrap().is_complete());
    assert_eq!(contents(&from).await, before);
    let found: Vec<_> = contents(&to).await.into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(found.iter().map(Key::as_str).collect::<Vec<_>>(), ["card:0000", "sweep:other"]);
    let error = copy(from, to).space("pstate-sweeps").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_target_that_holds_documents_is_refused() {
    let (from, to) = (cards(3).await, memory());
    put(&to, "acme", "card:1", b"theirs").await;
    let error = copy(from.clone(), to.clone()).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "copy: space \"acme\" of the target holds documents already; `overwrite(true)` compares \
         them and writes what differs (space acme)"
    );
    assert_eq!(contents(&to).await.len(), 1);
    let error = copy(from.clone(), from).run().await.unwrap_err();
    assert_eq!(error.to_string(), "copy: source and target are the same store");
}

#[tokio::test]
async fn overwriting_writes_only_what_differs_and_deletes_nothing() {
    let (from, to) = (cards(100).await, cards(98).await);
    put(&to, "default", "card:0007", b"theirs").await;
    put(&to, "default", "card:extra", b"theirs").await;
    put(&to, "acme", "card:extra", b"theirs").await;
    let counting = Arc::new(CountingLayer::new(to.clone()));
    let report = copy(from, counting.clone()).overwrite(true).page_size(9).run().await.unwrap();
    assert_eq!((report.documents, report.written), (100, 3));
    assert!(report.is_complete());
    let verification = report.verification.unwrap();
    assert!(!verification.is_equal());
    assert_eq!((verification.extra, verification.missing, verification.different), (2, 0, 0));
    assert_eq!(verification.differences[0].to_string(), "acme: card:extra: extra");
    assert_eq!(contents(&to).await.len(), 102);
    // Each page was compared by one read.
    assert_eq!(counting.take().reads, 2 + 12);
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_the_next_copy_goes_on_where_it_was() {
    for interrupted in 0.. {
        let (from, to) = (cards(50).await, memory());
        let (source, target) = (faults(&from), faults(&to));
        for _ in 0..interrupted {
            source.delay(Call::Scan, Duration::ZERO);
            target.delay(Call::Write, Duration::ZERO);
        }
        let before = interrupted % 2 == 0;
        // A write that has happened, and is reported as failed, is as good as one that has not.
        if before {
            source.fail(Call::Scan, broken());
        } else {
            target.fail_after(Call::Write, broken());
        }
        let ended = copy(source, target).page_size(10).verify_afterwards(false).run().await;
        if ended.is_ok() {
            // Six pages at the most, a note before them and one after each.
            assert!(interrupted > 5, "{interrupted}");
            assert_eq!(contents(&to).await, contents(&from).await);
            if !before {
                break;
            }
            continue;
        }
        assert_eq!(ended.unwrap_err().message(), "broken");
        if contents(&to).await == contents(&from).await {
            // Only that the notes are removed was not acknowledged.
            assert!(copy(from, to).verify().await.unwrap().is_equal());
            continue;
        }
        let counting = Arc::new(CountingLayer::new(to.clone()));
        let report = copy(from.clone(), counting.clone()).page_size(10).run().await.unwrap();
        assert!(report.is_complete(), "{interrupted}: {report}");
        assert_eq!(report.documents, 50);
        assert_eq!(contents(&to).await, contents(&from).await);
        // What was noted is not written again.
        let notes = counting.take().keys_written;
        let pages_left = (50 - report.documents_before).div_ceil(10);
        assert!(notes as u64 <= 50 - report.documents_before + pages_left + 2, "{interrupted}");
    }
}

#[tokio::test]
async fn one_that_was_canceled_resumes_where_it_was() {
    let (from, to) = (cards(100).await, memory());
    put(&from, "zebra", "card:1", b"1").await;
    let target = faults(&to);
    let held = {
        target.delay(Call::Write, Duration::ZERO);
        target.delay(Call::Write, Duration::ZERO);
        target.delay(Call::Write, Duration::ZERO);
        target.hold(Call::Write, Moment::Before)
    };
    let copying = copy(from.clone(), target).page_size(10).start().await.unwrap();
    held.reached().await;
    copying.cancel();
    held.release();
    let stopped = copying.wait().await.unwrap();
    // The current page was still done.
    assert!(!stopped.finished && !stopped.is_complete());
    assert_eq!((stopped.documents, stopped.verification.as_ref()), (20, None));
    assert!(stopped.to_string().starts_with("canceled: 20 documents of 30 bytes"), "{stopped}");
    let report = copy(from.clone(), to.clone()).page_size(10).run().await.unwrap();
    assert_eq!((report.documents_before, report.documents, report.written), (20, 101, 101));
    assert!(report.is_complete());
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test]
async fn an_unfinished_copy_of_another_source_is_not_gone_on_with() {
    let (from, to) = (cards(50).await, memory());
    let target = faults(&to);
    for _ in 0..4 {
        target.delay(Call::Write, Duration::ZERO);
    }
    target.fail(Call::Write, broken());
    copy(from.clone(), target).page_size(10).run().await.unwrap_err();
    let other = cards(50).await;
    put(&other, "default", "card:0003", b"another").await;
    let error = copy(other.clone(), to.clone()).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("an unfinished copy of another source"), "{error}");
    let report = copy(other.clone(), to.clone()).overwrite(true).run().await.unwrap();
    assert_eq!((report.documents_before, report.documents), (0, 50));
    assert!(report.is_complete());
    assert_eq!(contents(&to).await, contents(&other).await);
}

#[tokio::test]
async fn what_is_written_to_the_source_meanwhile_is_found_and_brought_by_the_next_copy() {
    let (from, to) = (cards(50).await, memory());
    let target = faults(&to);
    let held = target.hold(Call::Flush, Moment::Before);
    let copying = copy(from.clone(), target).page_size(10).start().await.unwrap();
    held.reached().await;
    put(&from, "default", "card:0003", b"changed").await;
    put(&from, "default", "card:0003a", b"new").await;
    held.release();
    let report = copying.wait().await.unwrap();
    assert!(report.finished && !report.is_complete());
    let verification = report.verification.unwrap();
    assert_eq!((verification.different, verification.missing, verification.extra), (1, 1, 0));
    // It is known whose documents they are, so it needs no leave to overwrite them.
    let again = copy(from.clone(), to.clone()).page_size(10).run().await.unwrap();
    assert_eq!((again.documents, again.written), (51, 2));
    assert!(again.is_complete());
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test]
async fn two_copies_at_once_do_no_harm() {
    let (from, to) = (cards(300).await, memory());
    let start = || copy(from.clone(), to.clone()).overwrite(true).page_size(7).start();
    let (one, other) = (start().await.unwrap(), start().await.unwrap());
    let (one, other) = tokio::join!(one.wait(), other.wait());
    assert!(one.unwrap().is_complete() && other.unwrap().is_complete());
    assert!(copy(from.clone(), to.clone()).verify().await.unwrap().is_equal());
}

#[tokio::test]
async fn a_narrow_target_gets_no_more_than_it_takes() {
    let (from, to) = (cards(100).await, memory());
    let long = "x".repeat(2_000);
    put(&from, "default", "card:0005", long.as_bytes()).await;
    put(&from, "zebra", "card:long", long.as_bytes()).await;
    let narrow = Arc::new(ByKey(to.clone()));
    let report = copy(from.clone(), narrow.clone()).run().await.unwrap();
    assert!(report.finished && !report.is_complete());
    assert_eq!((report.documents, report.written, report.failed), (101, 99, 2));
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        failures,
        [
            "default: card:0005: a value of 2000 bytes; this store takes at most 1000",
            "zebra: card:long: a value of 2000 bytes; this store takes at most 1000",
        ]
    );
    assert_eq!(report.verification.as_ref().unwrap().missing, 2);
    // Mended, it is complete, and only they are written.
    put(&from, "default", "card:0005", b"short").await;
    put(&from, "zebra", "card:long", b"short").await;
    let again = copy(from.clone(), narrow).overwrite(true).run().await.unwrap();
    assert_eq!((again.written, again.is_complete()), (2, true), "{again}");
    assert_eq!(contents(&to).await, contents(&from).await);
}

#[tokio::test]
async fn what_the_source_cannot_read_is_told_and_stops_nothing() {
    let from = Store::sqlite();
    fill(&from.adapter(), &odd_documents()).await;
    let file = rusqlite::Connection::open(from.path().unwrap()).unwrap();
    file.execute_batch("UPDATE pstate SET key = 'no key' WHERE key = 'card:0007'").unwrap();
    let report = copy(from.adapter(), memory()).keep_failures(1).run().await.unwrap();
    assert_eq!((report.failed, report.written), (1, odd_documents().len() as u64 - 1));
    assert!(report.failures[0].reason.contains("no key"), "{}", report.failures[0]);
    assert!(!report.is_complete());
    let verification = report.verification.unwrap();
    assert_eq!((verification.unreadable, verification.failures.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn while_a_store_is_unavailable_it_waits_but_not_for_ever() {
    let (from, to) = (cards(50).await, memory());
    let target = faults(&to);
    // What became of it is not known; it may be done again.
    target.fail_after(Call::Write, unavailable());
    target.fail(Call::Write, unavailable().retryable());
    target.fail(Call::Flush, unavailable().retryable());
    let source = faults(&from);
    source.fail(Call::Spaces, unavailable().retryable());
    source.fail(Call::Scan, unavailable().retryable());
    assert!(copy(source, target).run().await.unwrap().is_complete());
    assert_eq!(contents(&to).await, contents(&from).await);

    let to = memory();
    let target = faults(&to);
    let copying = copy(from.clone(), target.clone()).start().await.unwrap();
    target.disconnect();
    let waiting = copying.changes().next().await.unwrap();
    assert_eq!(waiting.state, JobState::Waiting);
    assert_eq!(waiting.unavailable.unwrap().kind(), ErrorKind::Unavailable);
    let begin = Instant::now();
    let error = copying.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!((10..40).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    target.reconnect();
    assert!(copy(from, target).run().await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_and_can_be_changed_and_it_can_pause() {
    let from = cards(1_000).await;
    let begin = Instant::now();
    let copying = copy(from, memory()).rate(100).page_size(50);
    let copying = copying.start().await.unwrap();
    let mut changes = copying.changes();
    assert_eq!(copying.progress().total, Some(1_000));
    while changes.next().await.unwrap().done < 500 {}
    let passed = begin.elapsed().as_secs_f64();
    assert!((4.0..=5.0).contains(&passed), "{passed} s");
    let progress = copying.progress();
    assert!((90.0..=120.0).contains(&progress.rate), "{progress}");
    assert!((3..7).contains(&progress.remaining.unwrap().as_secs()), "{progress}");
    assert_eq!(progress.space, Some(Space::default()));

    copying.pause();
    while changes.next().await.unwrap().state != JobState::Paused {}
    let done = copying.progress().done;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(copying.progress().done, done);
    copying.resume();
    copying.set_rate(0);
    let resumed = Instant::now();
    while changes.next().await.unwrap().done < 1_000 {}
    assert!(resumed.elapsed() < Duration::from_secs(1));
    while changes.next().await.is_some() {}
    let progress = copying.progress();
    assert_eq!((progress.state, progress.verified), (JobState::Finished, 1_000));
    assert!(copying.wait().await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_stops() {
    let (from, to) = (cards(100).await, memory());
    let copying = copy(from, to.clone()).rate(10).page_size(10).start().await.unwrap();
    let mut changes = copying.changes();
    while changes.next().await.unwrap().done < 20 {}
    drop(copying);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let cards = contents(&to).await.iter().filter(|(space, ..)| space.is_default()).count();
    assert!((20..=30).contains(&cards), "{cards}");
}
