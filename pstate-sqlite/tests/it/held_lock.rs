//! The lock of readers that is held while reads follow each other changes nothing else.

use pstate_core::{Adapter, Space};

use crate::another_process::execute;
use crate::fixture::{Place, get, keys, put, same};

#[tokio::test]
async fn reads_see_at_once_what_another_process_has_committed() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    for round in 0..5 {
        for _ in 0..1000 {
            get(&store, "card:1").await;
        }
        let update = format!("UPDATE pstate SET value = '{round}'");
        assert!(execute(&place.path("app.db"), &update).contains("done"));
        assert_eq!(get(&store, "card:1").await.unwrap(), round.to_string().as_bytes());
    }
}

#[tokio::test]
async fn reads_between_writes_do_not_let_the_log_grow() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(200);
    for round in 0..100 {
        store.write(&Space::default(), &same(&keys, &format!("{round:0>800}"))).await.unwrap();
        for key in &keys {
            get(&store, key.as_str()).await;
        }
    }
    // About 5,000 pages were written, and SQLite begins again after 1,000.
    let len = place.path("app.db-wal").metadata().unwrap().len();
    assert!(len < 8 << 20, "{len} bytes");
}

#[tokio::test]
async fn an_idle_store_keeps_no_other_process_from_emptying_the_log() {
    let place = Place::new();
    let store = place.open();
    let outsider = place.raw();
    outsider.busy_timeout(std::time::Duration::ZERO).unwrap();
    for _ in 0..20 {
        put(&store, "card:1", "{}").await;
        for _ in 0..100 {
            get(&store, "card:1").await;
        }
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        while outsider.query_row(sql, [], |row| row.get(0)) != Ok(0) {
            tokio::task::yield_now().await;
        }
    }
}
