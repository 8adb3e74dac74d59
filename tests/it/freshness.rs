//! What others write is seen in time.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use pstate::{
    Adapter, Batch, CachePolicy, Capabilities, ChangeFeed, ChangeSubscription, ChangedRecord,
    ChangedTo, Changes, Document, Error, ErrorKind, Extensions, Key, MemoryAdapter, Outcome,
    PState, Page, Record, Result, Scan, Space, Staleness,
};
use pstate_testkit::{Call, CountingLayer, Moment};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::stores::on_each_store;

async fn text(pstate: &PState, key: &str) -> String {
    pstate.get(key).await.unwrap().map(|card| card.as_str().to_owned()).unwrap_or_default()
}

on_each_store! {
    async fn if_nothing_may_be_stale_each_read_sees_what_another_handle_has_written(store: Store) {
        let other = store.plain();
        let counting = store.counting();
        let builder = PState::builder(counting.clone()).staleness(Staleness::None);
        let pstate = builder.build().unwrap();
        for n in 0..100 {
            other.put("card:1", &json!({"n": n})).await.unwrap();
            let expected = json!({"n": n}).to_string();
            assert_eq!(text(&pstate, "card:1").await, expected);
            counting.take();
            assert_eq!(text(&pstate, "card:1").await, expected);
            assert_eq!(counting.take().reads, 0);
        }
        other.delete("card:1").await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, "");
    }

    async fn only_what_has_changed_is_read_again(store: Store) {
        let other = store.plain();
        let counting = store.counting();
        let builder = PState::builder(counting.clone()).staleness(Staleness::None);
        let pstate = builder.build().unwrap();
        let keys: Vec<String> = (0..10).map(|card| format!("card:{card}")).collect();
        for key in &keys {
            other.put(key, &json!({"n": 1})).await.unwrap();
        }
        pstate.multi_get(&keys).await.unwrap();
        other.put("card:3", &json!({"n": 2})).await.unwrap();
        other.delete("card:4").await.unwrap();
        counting.take();
        pstate.multi_get(&keys).await.unwrap();
        assert_eq!(counting.take().keys_read, 2);
    }

    async fn what_a_handle_has_written_itself_stays_cached(store: Store) {
        let counting = store.counting();
        let builder = PState::builder(counting.clone()).staleness(Staleness::None);
        let pstate = builder.build().unwrap();
        for n in 0..10 {
            pstate.put("card:1", &json!({"n": n})).await.unwrap();
            assert_eq!(text(&pstate, "card:1").await, json!({"n": n}).to_string());
        }
        assert_eq!(counting.take().reads, 0);
    }

    async fn without_a_choice_it_is_seen_in_time(store: Store) {
        let other = store.plain();
        let pstate = store.builder().build().unwrap();
        for n in 0..20 {
            other.put("card:1", &json!({"n": n})).await.unwrap();
            let expected = json!({"n": n}).to_string();
            let seen = async {
                // It reads from the cache all the time, and lets others run all the same.
                while text(&pstate, "card:1").await != expected {}
            };
            tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
        }
    }

    async fn a_load_that_began_before_anothers_write_is_not_kept(store: Store) {
        let other = store.plain();
        other.put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let builder = PState::builder(faults.clone()).staleness(Staleness::None);
        let pstate = builder.build().unwrap();
        text(&pstate, "card:2").await;
        let held = faults.hold(Call::Read, Moment::After);
        let slow = tokio::spawn({
            let pstate = pstate.clone();
            async move { text(&pstate, "card:1").await }
        });
        held.reached().await;
        other.put("card:1", &json!({"n": 2})).await.unwrap();
        // It joins nobody who asked before the write.
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
        held.release();
        assert_eq!(slow.await.unwrap(), r#"{"n":1}"#);
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
    }

    async fn a_read_that_is_polled_no_more_leaves_the_question_to_others(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let pstate = store.builder().staleness(Staleness::AtMost(60 * SECOND)).build().unwrap();
        let mut first = Box::pin(pstate.get("card:1"));
        // Perhaps it asks somebody who takes a while to answer.
        _ = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
        text(&pstate, "card:1").await;
        let reads = pstate.stats().reads;
        text(&pstate, "card:1").await;
        assert_eq!(pstate.stats().reads, reads);
    }

    async fn a_resolved_value_is_not_stale_either(store: Store) {
        let other = store.plain();
        other.put("deck:1", &json!({"cards": [{"$ref": "card:1"}]})).await.unwrap();
        other.put("card:1", &json!({"n": 1})).await.unwrap();
        let pstate = store.builder().staleness(Staleness::None).build().unwrap();
        let resolve = async || pstate.get_resolved("deck:1", 1).await.unwrap().unwrap();
        let first = resolve().await;
        assert!(Arc::ptr_eq(&first, &resolve().await));
        other.put("card:1", &json!({"n": 2})).await.unwrap();
        assert_eq!(resolve().await["cards"][0]["n"], 2);
    }

    async fn for_ever_is_for_ever_and_a_policy_looks_all_the_same(store: Store) {
        let other = store.plain();
        other.put("card:1", &json!({"n": 1})).await.unwrap();
        let pstate = store.builder().staleness(Staleness::Unbounded).build().unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        other.put("card:1", &json!({"n": 2})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        let bypass = pstate.cache_policy(CachePolicy::Bypass);
        assert_eq!(text(&bypass, "card:1").await, r#"{"n":2}"#);
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        let refresh = pstate.cache_policy(CachePolicy::Refresh);
        assert_eq!(text(&refresh, "card:1").await, r#"{"n":2}"#);
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
    }

    async fn reads_past_the_cache_find_everything_and_leave_no_trace_in_it(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        let before = pstate.stats();
        let bypass = pstate.cache_policy(CachePolicy::Bypass);
        let found = bypass.multi_get(["card:1", "card:none", "card:1"]).await.unwrap();
        let text = |it: &Option<Document>| it.as_ref().map(|it| it.as_str().to_owned());
        let (card, found) = (Some(r#"{"n":1}"#.to_owned()), found.iter().map(text));
        assert!(found.eq([card.clone(), None, card]));
        assert!(bypass.get("card:none").await.unwrap().is_none());
        assert!(bypass.multi_get([""; 0]).await.unwrap().is_empty());
        let after = pstate.stats();
        assert_eq!((after.reads, after.keys_read), (before.reads + 2, before.keys_read + 4));
        assert_eq!(after.cache, before.cache);
    }
}

/// Memory without a change feed, or with one that can be made to fail.
#[derive(Debug)]
struct Odd {
    memory: MemoryAdapter,
    feed: Option<OddFeed>,
}

/// A feed that has nothing to tell, and counts how often it was asked.
#[derive(Debug, Clone, Default)]
struct OddFeed {
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Good,
    /// Has always something to tell.
    Busy,
    Fails,
    Hangs,
}

#[async_trait]
impl ChangeFeed for OddFeed {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        match *self.mood.lock().await {
            Mood::Fails => Err(Error::new(ErrorKind::Unavailable, "no feed")),
            Mood::Hangs => std::future::pending().await,
            Mood::Good | Mood::Busy => Ok(Box::new(self.clone())),
        }
    }
}

#[async_trait]
impl ChangeSubscription for OddFeed {
    async fn changes(&mut self) -> Result<Changes> {
        self.asked.fetch_add(1, Relaxed);
        let mood = *self.mood.lock().await;
        match mood {
            Mood::Fails => Err(Error::new(ErrorKind::Unavailable, "no feed")),
            Mood::Hangs => std::future::pending().await,
            Mood::Good => Ok(Changes::Records(Vec::new())),
            Mood::Busy => {
                let key = "card:9".parse()?;
                let changed = ChangedRecord::new(Space::default(), key, ChangedTo::Unknown);
                Ok(Changes::Records(vec![changed]))
            }
        }
    }

    async fn wait(&mut self) {
        if *self.mood.lock().await != Mood::Busy {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Adapter for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        match &self.feed {
            None => Extensions::none(),
            Some(feed) => Extensions::none().change_feed(feed),
        }
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.memory.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.memory.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.memory.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.memory.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.memory.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.memory.close().await
    }
}

/// Two handles on the same store, of which one has a bound, and counts what it reads.
fn pair(feed: Option<OddFeed>, staleness: Staleness) -> (PState, PState, Arc<CountingLayer>) {
    let adapter = Arc::new(Odd { memory: MemoryAdapter::new(), feed });
    let other = PState::builder(adapter.clone()).staleness(Staleness::Unbounded).build().unwrap();
    let counting = Arc::new(CountingLayer::new(adapter));
    let pstate = PState::builder(counting.clone()).staleness(staleness).build().unwrap();
    (other, pstate, counting)
}

/// Whoever reads need not be where the handle was built.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_can_read_on_a_runtime_without_timers() {
    for staleness in [Staleness::None, Staleness::AtMost(SECOND)] {
        let (other, pstate, _) = pair(None, staleness);
        other.put("card:1", &json!({"n": 1})).await.unwrap();
        let reading = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(text(&pstate, "card:1"))
        });
        assert_eq!(reading.join().unwrap(), r#"{"n":1}"#);
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn without_a_feed_a_time_to_live_is_the_bound() {
    let (other, pstate, counting) = pair(None, Staleness::AtMost(SECOND));
    other.put("card:1", &json!({"n": 1})).await.unwrap();
    for n in 2..10 {
        let before = text(&pstate, "card:1").await;
        counting.take();
        // For half of it at least nothing is read.
        sleep(SECOND * 49 / 100).await;
        assert_eq!(text(&pstate, "card:1").await, before);
        assert_eq!(counting.take().reads, 0);
        other.put("card:1", &json!({"n": n})).await.unwrap();
        sleep(SECOND).await;
        assert_eq!(text(&pstate, "card:1").await, json!({"n": n}).to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_read_all_the_time_grows_no_older_either() {
    let (other, pstate, counting) = pair(None, Staleness::AtMost(SECOND));
    other.put("card:1", &json!({"n": 1})).await.unwrap();
    for _ in 0..1_000 {
        text(&pstate, "card:1").await;
        sleep(SECOND / 100).await;
    }
    // Ten seconds, in which it was read again after three quarters of one at most.
    let reads = counting.take().reads;
    assert!((13..=20).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn without_a_feed_nothing_is_cached_if_nothing_may_be_stale() {
    for staleness in [Staleness::None, Staleness::AtMost(Duration::from_millis(9))] {
        let (other, pstate, _) = pair(None, staleness);
        for n in 0..10 {
            other.put("card:1", &json!({"n": n})).await.unwrap();
            assert_eq!(text(&pstate, "card:1").await, json!({"n": n}).to_string());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_feed_fails_the_store_is_read_until_it_is_back() {
    for mood in [Mood::Fails, Mood::Hangs] {
        let feed = OddFeed::default();
        let (other, pstate, counting) = pair(Some(feed.clone()), Staleness::AtMost(SECOND));
        other.put("card:1", &json!({"n": 1})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        *feed.mood.lock().await = mood;
        sleep(SECOND / 4).await;
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        other.put("card:1", &json!({"n": 2})).await.unwrap();
        // Whatever the feed does not say, or when it should have said it.
        sleep(SECOND).await;
        for n in 2..5 {
            other.put("card:1", &json!({"n": n})).await.unwrap();
            assert_eq!(text(&pstate, "card:1").await, json!({"n": n}).to_string());
        }
        *feed.mood.lock().await = Mood::Good;
        sleep(3 * SECOND).await;
        text(&pstate, "card:1").await;
        counting.take();
        text(&pstate, "card:1").await;
        assert_eq!(counting.take().reads, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn while_nobody_reads_nobody_asks() {
    let feed = OddFeed::default();
    let (_, pstate, _) = pair(Some(feed.clone()), Staleness::AtMost(SECOND));
    for _ in 0..100 {
        text(&pstate, "card:1").await;
        sleep(SECOND / 10).await;
    }
    // Twice in each second.
    let asked = feed.asked.swap(0, Relaxed);
    assert!((18..=22).contains(&asked), "{asked}");
    sleep(1_000 * SECOND).await;
    let asked = feed.asked.swap(0, Relaxed);
    assert!(asked <= 2, "{asked}");
    // The first who reads asks, and then it goes on.
    text(&pstate, "card:1").await;
    assert_eq!(feed.asked.swap(0, Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn where_something_changes_all_the_time_nobody_asks_all_the_time() {
    let feed = OddFeed::default();
    *feed.mood.lock().await = Mood::Busy;
    let (_, pstate, _) = pair(Some(feed.clone()), Staleness::AtMost(SECOND));
    for _ in 0..100 {
        text(&pstate, "card:1").await;
        sleep(SECOND / 10).await;
    }
    // Twenty times in each second.
    let asked = feed.asked.swap(0, Relaxed);
    assert!((180..=220).contains(&asked), "{asked}");
    // And when nobody reads any more, no more than for half a second.
    sleep(1_000 * SECOND).await;
    let asked = feed.asked.swap(0, Relaxed);
    assert!(asked <= 12, "{asked}");
}
