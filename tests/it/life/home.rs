//! The runtime that a handle belongs to.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pstate::{
    Adapter, Error, ErrorKind, Job, JobState, MemoryAdapter, PState, Result, Staleness, Warm, copy,
};
use pstate_testkit::workload;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const BOUND: Duration = Duration::from_millis(10);

const EACH_STALENESS: [Staleness; 3] =
    [Staleness::None, Staleness::AtMost(BOUND), Staleness::Unbounded];

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn store() -> Arc<dyn Adapter> {
    Arc::new(MemoryAdapter::new())
}

/// A handle that was built on a runtime and has cached `card:1`.
fn built_on(runtime: &Runtime, adapter: Arc<dyn Adapter>, staleness: Staleness) -> PState {
    runtime.block_on(async {
        let pstate = PState::builder(adapter).staleness(staleness).build().unwrap();
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        pstate.get("card:1").await.unwrap().unwrap();
        pstate
    })
}

/// What the calls of a handle return that may neither read nor store anything, each with its name.
async fn every_call(pstate: &PState) -> Vec<(&'static str, Error)> {
    fn refused<T>(result: Result<T>) -> Error {
        result.err().unwrap()
    }
    vec![
        ("get", refused(pstate.get("card:1").await)),
        ("multi_get", refused(pstate.multi_get(["card:1"]).await)),
        ("put", refused(pstate.put("card:1", &json!({"n": 2})).await)),
        ("multi_put", refused(pstate.multi_put([("card:1", json!({"n": 2}))]).await)),
        ("delete", refused(pstate.delete("card:1").await)),
        ("update", refused(pstate.update("card:1", |_| Ok(())).await)),
        ("batch", refused(pstate.batch().delete("card:1").commit().await)),
        ("preload", refused(pstate.preload("card:1", "deck").await)),
        ("get_resolved", refused(pstate.get_resolved("card:1", 1).await)),
        ("scan", refused(pstate.scan("").page().await)),
        ("spaces", refused(pstate.spaces().await)),
        ("migration_status", refused(pstate.migration_status().await)),
        ("migrate_all", refused(pstate.migrate_all().start().await)),
        ("warm", refused(pstate.warm(Warm::new().prefix("")))),
        ("clear_space", refused(pstate.clear_space().await)),
        ("flush", refused(pstate.flush().await)),
    ]
}

fn check_refused(calls: Vec<(&'static str, Error)>, why: &str) {
    for (name, error) in calls {
        assert_eq!((error.operation(), error.kind()), (Some(name), ErrorKind::Config), "{error}");
        assert!(error.message().contains(why), "{error}");
    }
}

/// The bytes of `card:1`.
fn stored(runtime: &Runtime, adapter: Arc<dyn Adapter>) -> String {
    runtime.block_on(async {
        let plain = PState::builder(adapter).build().unwrap();
        plain.get("card:1").await.unwrap().unwrap().as_str().to_owned()
    })
}

#[test]
fn after_the_end_of_the_runtime_every_call_says_what_to_do_and_does_nothing() {
    for (runtime, staleness) in
        EACH_STALENESS.into_iter().flat_map(|it| [(current_thread(), it), (multi_thread(), it)])
    {
        let adapter = store();
        let pstate = built_on(&runtime, adapter.clone(), staleness);
        drop(runtime);
        for other in [current_thread(), multi_thread()] {
            check_refused(other.block_on(every_call(&pstate)), "build a PState on each runtime");
            assert_eq!(stored(&other, adapter.clone()), r#"{"n":1}"#);
        }
    }
}

#[test]
fn a_handle_whose_runtime_has_ended_can_be_closed() {
    let (runtime, other) = (multi_thread(), multi_thread());
    let pstate = built_on(&runtime, store(), Staleness::default());
    drop(runtime);
    other.block_on(async {
        assert_eq!(pstate.close().await.unwrap().left, 0);
        assert_eq!(pstate.close().await.unwrap().left, 0);
    });
}

#[test]
fn a_handle_of_a_current_thread_runtime_is_refused_elsewhere_and_works_at_home() {
    let (home, other) = (current_thread(), current_thread());
    for staleness in EACH_STALENESS {
        let adapter = store();
        let pstate = built_on(&home, adapter.clone(), staleness);
        let why = "on a current-thread runtime";
        check_refused(other.block_on(every_call(&pstate)), why);
        check_refused(futures_util::FutureExt::now_or_never(every_call(&pstate)).unwrap(), why);
        assert_eq!(other.block_on(pstate.close()).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(stored(&other, adapter), r#"{"n":1}"#);
        home.block_on(async {
            pstate.put("card:1", &json!({"n": 2})).await.unwrap();
            assert_eq!(pstate.get("card:1").await.unwrap().unwrap().as_str(), r#"{"n":2}"#);
            pstate.close().await.unwrap();
        });
    }
}

/// Such a program never waits within the runtime, so no task of the runtime has its turn.
#[test]
fn a_program_that_blocks_on_each_read_of_the_cache_reads_nothing_too_old() {
    let (home, other) = (current_thread(), current_thread());
    let adapter = store();
    let pstate = built_on(&home, adapter.clone(), Staleness::AtMost(BOUND));
    let writer = built_on(&other, adapter, Staleness::Unbounded);
    for n in 2..6 {
        let read = || home.block_on(pstate.get("card:1")).unwrap().unwrap();
        read();
        other.block_on(writer.put("card:1", &json!({"n": n}))).unwrap();
        thread::sleep(BOUND + Duration::from_millis(1));
        assert_eq!(read().as_str(), json!({"n": n}).to_string());
    }
}

#[test]
fn a_runtime_without_timers_is_refused_before_anything_is_stored() {
    for runtime in [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_multi_thread().worker_threads(1).build().unwrap(),
    ] {
        let built = runtime.block_on(async { PState::builder(store()).build() });
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("`enable_time`"), "{error}");
        let copy = runtime.block_on(copy(store(), store()).start());
        let error = copy.err().unwrap();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Some("copy")));
    }
}

/// The state of a job after the end of its runtime, and the error of waiting for it.
fn after_its_runtime<P, R>(job: Job<P, R>, state: impl Fn(P) -> JobState) -> (JobState, Error)
where
    P: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    let state = state(job.progress());
    (state, multi_thread().block_on(job.wait()).err().unwrap())
}

#[test]
fn a_job_whose_runtime_has_ended_says_so() {
    for runtime in [current_thread(), multi_thread()] {
        let adapter = store();
        let (warm, sweep, copied) = runtime.block_on(async {
            let builder = PState::builder(adapter.clone()).schema(workload::schema().unwrap());
            let pstate = builder.build().unwrap();
            for card in ["base_card:1", "base_card:2"] {
                pstate.put(card, &json!({"front": "hola"})).await.unwrap();
            }
            let warm = pstate.warm(Warm::new().prefix("").page_size(1).rate(1)).unwrap();
            let sweep = pstate.migrate_all().page_size(1).rate(1).start().await.unwrap();
            let copied = copy(adapter, store()).page_size(1).rate(1).start().await.unwrap();
            (warm, sweep, copied)
        });
        drop(runtime);
        let ended = [
            after_its_runtime(warm, |progress| progress.state),
            after_its_runtime(sweep, |progress| progress.state),
            after_its_runtime(copied, |progress| progress.state),
        ];
        for ((state, error), name) in ended.into_iter().zip(["warm", "migrate_all", "copy"]) {
            assert_eq!((state, error.operation()), (JobState::Failed, Some(name)));
            assert_eq!(error.message(), "the runtime that the job ran on has shut down");
        }
    }
}
