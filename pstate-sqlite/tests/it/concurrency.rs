//! Many tasks, many handles.

use std::sync::Arc;
use std::thread;

use pstate_core::{Adapter, Batch, Expect, Outcome, Space};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};
use tokio::task::JoinSet;

use crate::fixture::{Place, get, key, put, put_write, scan_all};

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
