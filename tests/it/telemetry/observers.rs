//! Who observes gets everything, and disturbs nobody.

use std::sync::Arc;

use pstate::{MemoryAdapter, PState, Staleness};
use serde_json::json;

use super::recorder::Recorder;

/// Reads and writes by eight tasks, in a cache that has room for some of it.
async fn work(pstate: &PState) {
    let tasks: Vec<_> = (0..8_u32)
        .map(|task| {
            let pstate = pstate.clone();
            tokio::spawn(async move {
                for at in 0..200_u32 {
                    let key = format!("card:{}", (at * 7 + task) % 90);
                    match at % 4 {
                        0 => drop(pstate.put(&key, &json!({"at": at})).await.unwrap()),
                        1 => drop(pstate.multi_get([&key, "card:1", "deck:1"]).await.unwrap()),
                        _ => drop(pstate.get(&key).await.unwrap()),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Each observer was told as often as was counted.
fn agrees(recorder: &Recorder, pstate: &PState) {
    let stats = pstate.stats();
    let cache = stats.cache;
    assert_eq!(recorder.count("cache hit "), cache.hits);
    assert_eq!(recorder.count("cache miss "), cache.misses);
    assert_eq!(recorder.count("cache insert "), cache.inserts);
    assert_eq!(recorder.count("cache evict "), cache.evictions);
    assert_eq!(recorder.count("cache invalidate "), cache.invalidations);
    assert_eq!(recorder.count("call memory multi_get "), stats.reads);
    assert_eq!(recorder.count("call memory write "), stats.writes);
    // 400 puts; 400 times three keys and 800 times one.
    assert_eq!(recorder.count("put "), 400);
    assert_eq!(recorder.count("fetch "), 2_000);
    assert!(cache.hits > 0 && cache.evictions > 0 && cache.invalidations > 0, "{cache:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_are_told_everything_as_often_as_it_is_counted() {
    let recorders = [Recorder::new(), Recorder::new(), Recorder::new()];
    let builder = PState::builder(Arc::new(MemoryAdapter::new())).cache_bytes(1 << 15);
    let observed = recorders.iter().fold(builder, |builder, it| builder.observer(it.clone()));
    let pstate = observed.staleness(Staleness::Unbounded).build().unwrap();
    work(&pstate).await;
    for recorder in &recorders {
        agrees(recorder, &pstate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_panics_changes_nothing_but_a_count() {
    let (panics, other) = (Recorder::panicking(), Recorder::new());
    let pstate = PState::builder(Arc::new(MemoryAdapter::new()))
        .cache_bytes(1 << 15)
        .staleness(Staleness::Unbounded)
        .observer(panics.clone())
        .observer(other.clone())
        .build()
        .unwrap();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    work(&pstate).await;
    std::panic::set_hook(hook);
    agrees(&other, &pstate);
    let told = panics.count("");
    assert_eq!((told, pstate.stats().observer_panics), (other.count(""), told));
    pstate.put("card:1", &json!({"last": true})).await.unwrap();
    assert_eq!(pstate.get("card:1").await.unwrap().unwrap().as_str(), r#"{"last":true}"#);
}

#[tokio::test]
async fn reads_of_the_cache_are_told_exactly_and_some_are_timed() {
    let (each, timed) = (Recorder::new(), Recorder::timed());
    let pstate = PState::builder(Arc::new(MemoryAdapter::new()))
        .staleness(Staleness::Unbounded)
        .observer(each.clone())
        .observer(timed.clone())
        .build()
        .unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    for _ in 0..20_000 {
        pstate.get("card:1").await.unwrap();
    }
    assert_eq!((each.count("fetch "), each.count("cache hit")), (20_000, 20_000));
    let sample = each.count("fetch card:1 by get, cached, timed");
    // One in 64 is 312; the chance to be so far off is less than 10^-20.
    assert!((100..700).contains(&sample), "{sample}");
    assert_eq!((timed.count("fetch "), timed.count("cache hit")), (sample, 0));
}

#[tokio::test]
async fn each_read_of_the_cache_is_timed_if_that_is_asked_for() {
    let timed = Recorder::timed();
    let pstate = PState::builder(Arc::new(MemoryAdapter::new()))
        .staleness(Staleness::Unbounded)
        .time_cache_reads(1)
        .observer(timed.clone())
        .build()
        .unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    for _ in 0..10 {
        pstate.get("card:1").await.unwrap();
    }
    pstate.multi_get(["card:1", "card:1"]).await.unwrap();
    assert_eq!(timed.count("fetch "), 12);
}
