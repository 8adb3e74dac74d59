//! What another process has written is seen by each read, or in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pstate::{PState, Staleness};
use serde_json::json;

use super::child::{self, Child, open, say};

const WRITES: u64 = 10_000;
const KEY: &str = "card:1";

/// Writes ascending numbers, and says each when it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by other tests, in a process of its own"]
async fn the_process_that_writes() {
    let pstate = PState::builder(open(&child::file())).build().unwrap();
    for n in 1..=child::task().parse().unwrap() {
        pstate.put(KEY, &json!({"n": n})).await.unwrap();
        say(&n.to_string());
    }
}

async fn number(pstate: &PState) -> u64 {
    let card = pstate.get(KEY).await.unwrap();
    card.map_or(0, |card| card.get("n").unwrap().unwrap().as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_nothing_may_be_stale_no_read_is_older_than_what_another_process_has_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let builder = PState::builder(open(&file)).staleness(Staleness::None);
    let pstate = builder.build().unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writer =
        Child::start("processes::staleness::the_process_that_writes", &file, WRITES.to_string());
    let hearing = std::thread::spawn({
        let acknowledged = acknowledged.clone();
        move || {
            while let Some(n) = writer.hear() {
                acknowledged.store(n.parse().unwrap(), SeqCst);
            }
        }
    });
    loop {
        let before = acknowledged.load(SeqCst);
        let read = number(&pstate).await;
        assert!(read >= before, "{read} was read after {before} had been acknowledged");
        if read == WRITES {
            break;
        }
    }
    hearing.join().unwrap();
    assert_eq!(acknowledged.load(SeqCst), WRITES);
    // And not because nothing is cached. The other process may have tidied up when it ended.
    number(&pstate).await;
    let reads = pstate.stats().reads;
    for _ in 0..100 {
        number(&pstate).await;
    }
    assert_eq!(pstate.stats().reads, reads);
}

#[tokio::test]
async fn otherwise_the_last_write_of_another_process_is_seen_by_one_who_only_reads_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let pstate = PState::builder(open(&file)).build().unwrap();
    assert_eq!(number(&pstate).await, 0);
    let writer = Child::start("processes::staleness::the_process_that_writes", &file, "100");
    assert_eq!(writer.finish().last().unwrap(), "100");
    let seen = async { while number(&pstate).await != 100 {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.unwrap();
}
