//! What another process has written is seen by each read, or in time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pstate::{Builder, PState, Staleness};
use serde_json::json;

use super::child::{self, Child, say};

const WRITES: u64 = 10_000;
const KEY: &str = "card:1";

/// Writes ascending numbers, and says each when it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by other tests, in a process of its own"]
async fn the_process_that_writes() {
    let pstate = connect(child::file().to_str().unwrap()).await.build().unwrap();
    for n in 1..=child::task().parse().unwrap() {
        pstate.put(KEY, &json!({"n": n})).await.unwrap();
        say(&n.to_string());
    }
}

async fn connect(url: &str) -> Builder {
    pstate::connect(url).await.unwrap()
}

fn start_writer(url: &str, writes: u64) -> Child {
    let test = "processes::staleness::the_process_that_writes";
    Child::start(test, Path::new(url), writes.to_string())
}

async fn number(pstate: &PState) -> u64 {
    let card = pstate.get(KEY).await.unwrap();
    card.map_or(0, |card| card.get("n").unwrap().unwrap().as_u64().unwrap())
}

async fn no_read_is_older_than_what_another_process_has_written(url: &str) {
    let pstate = connect(url).await.staleness(Staleness::None).build().unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writer = start_writer(url, WRITES);
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

async fn the_last_write_of_another_process_is_seen_by_one_who_only_reads_the_cache(url: &str) {
    let pstate = connect(url).await.build().unwrap();
    assert_eq!(number(&pstate).await, 0);
    assert_eq!(start_writer(url, 100).finish().last().unwrap(), "100");
    let seen = async { while number(&pstate).await != 100 {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.unwrap();
}

mod sqlite {
    fn url(dir: &tempfile::TempDir) -> String {
        format!("sqlite:{}", dir.path().join("app.db").display())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn if_nothing_may_be_stale_each_read_asks() {
        let dir = tempfile::tempdir().unwrap();
        super::no_read_is_older_than_what_another_process_has_written(&url(&dir)).await;
    }

    #[tokio::test]
    async fn otherwise_somebody_asks_in_time() {
        let dir = tempfile::tempdir().unwrap();
        super::the_last_write_of_another_process_is_seen_by_one_who_only_reads_the_cache(&url(
            &dir,
        ))
        .await;
    }
}

#[cfg(feature = "redis")]
mod redis {
    use pstate_testkit::redis::Server;

    fn url(server: &Server) -> String {
        format!("redis://127.0.0.1:{}", server.port())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn if_nothing_may_be_stale_each_read_asks() {
        let server = Server::start();
        super::no_read_is_older_than_what_another_process_has_written(&url(&server)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn otherwise_it_is_told_in_time() {
        let server = Server::start();
        let url = url(&server);
        super::the_last_write_of_another_process_is_seen_by_one_who_only_reads_the_cache(&url)
            .await;
    }
}
