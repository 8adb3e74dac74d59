//! Where reads run, and that they are one snapshot wherever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pstate_core::{Adapter, Space};
use pstate_sled::{ReadMode, SledConfig};

use crate::fixture::{Place, get, keys, put, same};

#[tokio::test]
async fn reads_on_threads_give_the_same() {
    let place = Place::new();
    let store = place.open_with(SledConfig::default().read_mode(ReadMode::Blocking));
    put(&store, "card:1", "{}").await;
    assert_eq!(get(&store, "card:1").await.unwrap(), b"{}");
    assert_eq!(get(&store, "card:2").await, None);
}

#[tokio::test]
async fn many_bytes_are_read_wholly() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(10);
    store.write(&Space::default(), &same(&keys, &"x".repeat(100_000))).await.unwrap();
    let records = store.multi_get(&Space::default(), &keys).await.unwrap();
    assert!(records.iter().all(|record| record.as_ref().unwrap().bytes.len() == 100_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn few_keys_and_many_are_read_as_one_snapshot() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let done = Arc::new(AtomicBool::new(false));
    let all = keys(600);
    store.write(&Space::default(), &same(&all, "0")).await.unwrap();
    let writer = {
        let (store, done, all) = (Arc::clone(&store), Arc::clone(&done), all.clone());
        tokio::spawn(async move {
            for n in 1..30 {
                store.write(&Space::default(), &same(&all, &n.to_string())).await.unwrap();
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    while !done.load(Ordering::SeqCst) {
        for keys in [&all[..5], &all[..]] {
            let records = store.multi_get(&Space::default(), keys).await.unwrap();
            assert!(records.windows(2).all(|pair| pair[0] == pair[1]), "half of a batch");
        }
    }
    writer.await.unwrap();
}
