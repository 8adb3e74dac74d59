//! Two processes count on one document, and each leaves documents of its own.

use futures_util::StreamExt;
use pstate::PState;
use serde_json::json;

use super::child::{self, Child, open};

const ROUNDS: u64 = 200;

/// Counts, and leaves a document of its own each time.
async fn work(pstate: &PState, name: &str) {
    for round in 0..ROUNDS {
        let counted = pstate.update("counter:1", |counter| {
            counter["n"] = json!(counter["n"].as_u64().unwrap() + 1);
            Ok(())
        });
        counted.await.unwrap().unwrap();
        pstate.put(format!("card:{name}-{round}"), &json!({ "by": name })).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let pstate = PState::builder(open(&path)).build().unwrap();
    pstate.put("counter:1", &json!({"n": 0})).await.unwrap();

    let other = Child::start("processes::counting::the_other_process", &path, "");
    work(&pstate, "one").await;
    tokio::task::spawn_blocking(|| other.finish()).await.unwrap();

    let fresh = PState::builder(open(&path)).build().unwrap();
    let counter = fresh.get("counter:1").await.unwrap().unwrap();
    assert_eq!(counter.get("n").unwrap(), Some(&json!(2 * ROUNDS)));
    let cards = fresh.scan("card:").stream().map(Result::unwrap).count().await;
    assert_eq!(cards as u64, 2 * ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `both_write_and_nothing_is_lost`, in a process of its own"]
async fn the_other_process() {
    let pstate = PState::builder(open(&child::file())).build().unwrap();
    work(&pstate, "two").await;
}
