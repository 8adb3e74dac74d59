//! Two processes on one SQLite file.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use futures_util::StreamExt;
use pstate::PState;
use pstate::sqlite::SqliteAdapter;
use serde_json::json;

const ROUNDS: u64 = 200;
const FILE: &str = "PSTATE_TEST_FILE";

fn open(path: &Path) -> PState {
    PState::builder(Arc::new(SqliteAdapter::open(path).unwrap())).build().unwrap()
}

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
    let pstate = open(&path);
    pstate.put("counter:1", &json!({"n": 0})).await.unwrap();

    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "two_processes::the_other_process"])
        .env(FILE, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    work(&pstate, "one").await;
    let ended = tokio::task::spawn_blocking(move || other.wait()).await.unwrap().unwrap();
    assert!(ended.success());

    let fresh = open(&path);
    let counter = fresh.get("counter:1").await.unwrap().unwrap();
    assert_eq!(counter.get("n").unwrap(), Some(&json!(2 * ROUNDS)));
    let cards = fresh.scan("card:").stream().map(Result::unwrap).count().await;
    assert_eq!(cards as u64, 2 * ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `both_write_and_nothing_is_lost`, in a process of its own"]
async fn the_other_process() {
    let path = std::env::var_os(FILE).unwrap();
    work(&open(Path::new(&path)), "two").await;
}
