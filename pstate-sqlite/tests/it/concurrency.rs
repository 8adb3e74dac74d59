//! Many tasks, many handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pstate_core::{Adapter, Batch, Expect, Outcome, Space};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};
use tokio::task::JoinSet;

use crate::fixture::{Place, get, key, keys, put, put_write, same, scan_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_hundred_batches_of_six_tasks_are_all_stored() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..100 {
                let writes = (0..3).map(|i| put_write(&format!("t{task}:{n}.{i}"), "{}")).collect();
                store.write(&Space::default(), &Batch::atomic(writes)).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(scan_all(&store, "", 1000).await.0.len(), 1800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_sees_half_of_a_batch() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let keys = keys(150);
    store.write(&Space::default(), &same(&keys, "0")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, keys, done) = (Arc::clone(&store), keys.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            for generation in 1..100 {
                let batch = same(&keys, &generation.to_string());
                store.write(&Space::default(), &batch).await.unwrap();
            }
            done.store(true, Ordering::Release);
        })
    };
    while !done.load(Ordering::Acquire) {
        let records = store.multi_get(&Space::default(), &keys).await.unwrap();
        let first = records[0].as_ref().unwrap();
        assert!(records.iter().flatten().all(|record| record.bytes == first.bytes));
    }
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn compare_and_swap_loses_no_increment() {
    let place = Place::new();
    let store = Arc::new(place.open());
    put(&store, "counter:1", "0").await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut done = 0;
            while done < 25 {
                let records =
                    store.multi_get(&Space::default(), &[key("counter:1")]).await.unwrap();
                let record = records[0].as_ref().unwrap();
                let count: u64 = std::str::from_utf8(&record.bytes).unwrap().parse().unwrap();
                let write = put_write("counter:1", (count + 1).to_string())
                    .expecting(Expect::Revision(record.revision));
                let outcomes =
                    store.write(&Space::default(), &Batch::atomic(vec![write])).await.unwrap();
                done += usize::from(outcomes[0].is_done());
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(get(&store, "counter:1").await.unwrap(), b"100");
}

#[tokio::test]
async fn a_write_is_seen_through_every_handle() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    put(&one, "card:1", "1").await;
    assert_eq!(get(&other, "card:1").await.unwrap(), b"1");
    put(&other, "card:1", "2").await;
    assert_eq!(get(&one, "card:1").await.unwrap(), b"2");
}

#[tokio::test]
async fn a_change_by_another_program_is_seen_and_makes_expectations_fail() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "ours").await;
    let records = store.multi_get(&Space::default(), &[key("card:1")]).await.unwrap();
    let revision = records[0].as_ref().unwrap().revision;
    place.raw().execute("UPDATE pstate SET value = 'theirs'", []).unwrap();
    assert_eq!(get(&store, "card:1").await.unwrap(), b"theirs");
    let write = put_write("card:1", "again").expecting(Expect::Revision(revision));
    let outcomes = store.write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Conflict));
}

#[test]
fn a_new_file_can_be_opened_by_many_at_once() {
    let place = Place::new();
    thread::scope(|scope| {
        let open = || SqliteAdapter::open_with(place.path("app.db"), SqliteConfig::default());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}
