//! A sweep that is killed goes on where it was, in another process.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Adapter, Batch, ErrorKind, PState, Scan, Space, Write};
use pstate_testkit::{FaultLayer, workload};

use super::child::{self, Child, HELD, open, say};
use crate::stores::deck_of;

const CARDS: usize = 500;
const PAGE: usize = 50;
const LEASE: Duration = Duration::from_millis(50);

/// So long that nobody has to make himself heard, which would be a write that nobody counts on.
const LONG_LEASE: Duration = Duration::from_secs(3_600);

/// Sweeps until a certain write, counted from 0, and says when it is at it: before its effect, or
/// after it and before the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `one_that_is_killed_goes_on_where_it_was`, in a process of its own"]
async fn the_process_that_is_killed() {
    let faults = Arc::new(FaultLayer::new(open(&child::file())));
    let held = child::hold_at_write(&faults);
    let pstate = PState::builder(faults).schema(workload::schema().unwrap()).build().unwrap();
    let sweep = tokio::spawn(pstate.migrate_all().page_size(PAGE).lease(LONG_LEASE).run());
    held.reached().await;
    say(HELD);
    sweep.await.unwrap().unwrap();
}

/// Makes the lease of the one who was killed a short one, so that nobody has to wait for its end.
async fn shorten_lease(adapter: &dyn Adapter) {
    let space: Space = "pstate-sweeps".parse().unwrap();
    let scan = Scan { prefix: String::new(), after: None, limit: 1.try_into().unwrap() };
    let (key, note) = adapter.scan(&space, &scan).await.unwrap().records.pop().unwrap();
    let mut note: serde_json::Value = serde_json::from_slice(&note.bytes).unwrap();
    note["lease_ms"] = serde_json::json!(LEASE.as_millis());
    let shortened = Write::put(key, serde_json::to_vec(&note).unwrap());
    adapter.write(&space, &Batch::each(vec![shortened])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let adapter = open(&file);
    let plain = PState::builder(adapter.clone()).build().unwrap();
    let deck = deck_of(CARDS);
    for card in 0..CARDS {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let builder = PState::builder(adapter.clone());
    let pstate = builder.schema(workload::schema().unwrap()).build().unwrap();
    let mut noted = 0;
    // It takes the lease, then for each page writes the documents and a note. A page that was
    // stored and not noted is looked at again, and there is nothing to write any more: it is noted
    // with the next one.
    for (kill_at, pages_noted, pages_stored) in [
        ("0 after", 0, 0),
        ("1 before", 0, 0),
        ("1 after", 0, 1),
        ("1 before", 0, 1),
        ("2 before", 0, 2),
        ("2 after", 3, 3),
        ("5 after", 2, 3),
        ("4 before", 2, 3),
    ] {
        let mut child =
            Child::start("processes::sweep::the_process_that_is_killed", &file, kill_at);
        tokio::task::spawn_blocking(move || child.kill_when_held()).await.unwrap();
        shorten_lease(&*adapter).await;
        let status = pstate.migration_status().await.unwrap();
        let checkpoint = status.sweep.unwrap();
        assert!(checkpoint.running && !checkpoint.finished);
        let stored = status.types["base_card"].versions.get(&2).copied().unwrap_or(0);
        let expected = (noted + pages_noted * PAGE, noted + pages_stored * PAGE);
        assert_eq!((checkpoint.done, stored), (expected.0 as u64, expected.1 as u64), "{kill_at}");
        noted = expected.0;
    }
    // The one that was killed is silent; until that is certain, nobody else gets the space.
    let report = pstate.migrate_all().page_size(PAGE).lease(LEASE).run().await.unwrap();
    assert!(report.finished);
    assert_eq!((report.done_before, report.done), (noted as u64, CARDS as u64));
    assert_eq!(pstate.migration_status().await.unwrap().older(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `two_processes_do_not_sweep_one_space`, in a process of its own"]
async fn the_process_that_sweeps() {
    let builder = PState::builder(open(&child::file()));
    let pstate = builder.schema(workload::schema().unwrap()).build().unwrap();
    let sweep = pstate.migrate_all().page_size(1).rate(100).lease(LEASE).start().await.unwrap();
    say("started");
    say(&sweep.wait().await.unwrap().stored.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_do_not_sweep_one_space() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let adapter = open(&file);
    let plain = PState::builder(adapter.clone()).build().unwrap();
    let deck = deck_of(30);
    for card in 0..30 {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let pstate = PState::builder(adapter).schema(workload::schema().unwrap()).build().unwrap();
    let mut child = Child::start("processes::sweep::the_process_that_sweeps", &file, "");
    assert_eq!(child.hear().as_deref(), Some("started"));
    let error = pstate.migrate_all().start().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true));
    let said = tokio::task::spawn_blocking(|| child.finish()).await.unwrap();
    assert_eq!(said, ["30"]);
    assert_eq!(pstate.migrate_all().run().await.unwrap().stored, 0);
}
