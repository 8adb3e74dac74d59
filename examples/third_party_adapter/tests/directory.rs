//! What the suite cannot know: how this store uses its directory.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Waker};

use pstate::PState;
use pstate_core::{
    Adapter, Batch, Error, ErrorKind, Expect, Key, Outcome, Page, Result, Scan, Space, Write,
};
use pstate_directory::DirectoryAdapter;
use serde_json::{Value, json};

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn put(text: &str, bytes: &str) -> Write {
    Write::put(key(text), bytes.as_bytes())
}

async fn write(adapter: &DirectoryAdapter, writes: Vec<Write>) -> Result<Vec<Outcome>> {
    adapter.write(&Space::default(), &Batch::each(writes)).await
}

async fn read(adapter: &DirectoryAdapter, text: &str) -> Result<Option<String>> {
    let records = adapter.multi_get(&Space::default(), &[key(text)]).await?;
    Ok(records[0].as_ref().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()))
}

async fn page(adapter: &DirectoryAdapter, prefix: &str, after: Option<Key>, limit: usize) -> Page {
    let limit = NonZeroUsize::new(limit).unwrap();
    let scan = Scan { prefix: prefix.to_owned(), after, limit };
    adapter.scan(&Space::default(), &scan).await.unwrap()
}

fn keys(page: &Page) -> Vec<&str> {
    page.records.iter().map(|(key, _)| key.as_str()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = directory.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_record_is_a_file_that_holds_its_bytes_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    write(&adapter, vec![put("card:a/B", "{}"), put("card:empty", "")]).await.unwrap();
    assert_eq!(names(place.path()), ["pstate-directory-1", "space-default"]);
    let space = place.path().join("space-default");
    assert_eq!(names(&space), ["card%3aa%2f%42", "card%3aempty"]);
    assert_eq!(fs::read(adapter.path(&Space::default(), &key("card:a/B"))).unwrap(), b"{}");
    assert_eq!(fs::read(space.join("card%3aempty")).unwrap(), b"");
}

#[tokio::test]
async fn what_a_dead_process_left_is_no_record_and_goes_away_at_opening() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    let unfinished = place.path().join("unfinished");
    fs::write(&unfinished, "half a va").unwrap();
    assert!(adapter.spaces().await.unwrap().is_empty());
    assert!(page(&adapter, "", None, 10).await.records.is_empty());
    write(&adapter, vec![put("card:1", "{}")]).await.unwrap();
    assert_eq!(read(&adapter, "card:1").await.unwrap().as_deref(), Some("{}"));

    fs::write(&unfinished, "half a va").unwrap();
    DirectoryAdapter::open(place.path()).unwrap();
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_left_alone() {
    #[track_caller]
    fn refused(path: &Path, why: &str) {
        let error = DirectoryAdapter::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(why), "{error}");
    }
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("letter.txt"), "Dear").unwrap();
    refused(place.path(), "is not empty");
    refused(&place.path().join("letter.txt"), "is no directory");
    refused(&place.path().join("no/such"), "has to exist");
    assert_eq!(names(place.path()), ["letter.txt"]);
}

#[tokio::test]
async fn a_store_that_went_away_is_unavailable_and_not_empty() {
    #[track_caller]
    fn unavailable<T: std::fmt::Debug>(result: Result<T, Error>) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable(), "{error}");
    }
    let place = tempfile::tempdir().unwrap();
    let (path, away) = (place.path().join("store"), place.path().join("away"));
    let adapter = DirectoryAdapter::open(&path).unwrap();
    write(&adapter, vec![put("card:1", "{}")]).await.unwrap();
    fs::rename(&path, &away).unwrap();
    // As a mount point looks when its volume is not mounted.
    fs::create_dir(&path).unwrap();
    let all = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
    unavailable(read(&adapter, "card:1").await);
    unavailable(write(&adapter, vec![put("card:1", "[]")]).await);
    unavailable(adapter.scan(&Space::default(), &all).await);
    unavailable(adapter.spaces().await);
    fs::remove_dir(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    assert_eq!(read(&adapter, "card:1").await.unwrap().as_deref(), Some("{}"));
}

#[tokio::test]
async fn keys_too_long_for_a_name_are_scanned_in_their_place() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    let long = |last| format!("card:b{}{last}", "ü".repeat(200));
    let (one, two) = (long('1'), long('2'));
    write(&adapter, vec![put("card:c", "c"), put(&two, "2"), put("card:a", "a"), put(&one, "1")])
        .await
        .unwrap();
    assert_eq!(read(&adapter, &two).await.unwrap().as_deref(), Some("2"));
    let first = page(&adapter, "card:", None, 2).await;
    assert_eq!(keys(&first), ["card:a", &one]);
    assert_eq!(keys(&page(&adapter, "card:", first.next, 2).await), [two.as_str(), "card:c"]);
    assert_eq!(keys(&page(&adapter, "card:bü", None, 9).await), [one.as_str(), &two]);
    write(&adapter, vec![Write::delete(key(&two))]).await.unwrap();
    assert_eq!(read(&adapter, &two).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_has_lost_its_key_is_reported_once() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    let long = format!("card:{}", "x".repeat(300));
    write(&adapter, vec![put("card:1", "1"), put(&long, "2"), put("card:y", "3")]).await.unwrap();
    fs::write(adapter.path(&Space::default(), &key(&long)), "x").unwrap();

    let first = page(&adapter, "", None, 1).await;
    assert_eq!((keys(&first), first.unreadable.len()), (vec!["card:1"], 1));
    assert_eq!(first.unreadable[0].kind(), ErrorKind::Corrupt);
    let second = page(&adapter, "", first.next, 1).await;
    assert_eq!((keys(&second), second.unreadable.len()), (vec!["card:y"], 0));
    let error = read(&adapter, &long).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key(&long))));
}

#[tokio::test]
async fn files_of_others_are_no_records() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    write(&adapter, vec![put("card:1", "{}"), put("card:2", "{}")]).await.unwrap();
    let space = place.path().join("space-default");
    for name in [".DS_Store", "card%3a1~", "card%3A1"] {
        fs::write(space.join(name), "other").unwrap();
    }
    let all = page(&adapter, "", None, 10).await;
    assert_eq!((keys(&all), all.unreadable.len()), (vec!["card:1", "card:2"], 0));
    write(&adapter, vec![Write::delete(key("card:1")), Write::delete(key("card:2"))])
        .await
        .unwrap();
    assert!(adapter.spaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_write_that_fails_says_so_for_itself_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    fs::create_dir_all(adapter.path(&Space::default(), &key("card:2"))).unwrap();
    let writes = vec![put("card:1", "{}"), put("card:2", "{}"), put("card:3", "{}")];
    let outcomes = write(&adapter, writes).await.unwrap();
    let [Outcome::Stored(_), Outcome::Failed(error), Outcome::Stored(_)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key("card:2"))));
    assert_eq!(names(place.path()), ["pstate-directory-1", "space-default"]);
    assert_eq!(keys(&page(&adapter, "", None, 10).await), ["card:1", "card:3"]);

    let alone = Batch::atomic(vec![put("card:2", "{}").expecting(Expect::Any)]);
    let error = adapter.write(&Space::default(), &alone).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key("card:2"))));
}

#[tokio::test]
async fn futures_that_nobody_polls_keep_nobody_waiting() {
    let place = tempfile::tempdir().unwrap();
    let adapter = DirectoryAdapter::open(place.path()).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut first = pin!(write(&adapter, vec![put("card:1", "1")]));
    let mut second = pin!(write(&adapter, vec![put("card:2", "2")]));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    write(&adapter, vec![put("card:3", "3")]).await.unwrap();
    adapter.close().await.unwrap();
    assert!(matches!(first.await.unwrap()[..], [Outcome::Stored(_)]));
    assert!(matches!(second.await.unwrap()[..], [Outcome::Stored(_)]));
}

const ROUNDS: u64 = 100;
const PATH: &str = "PSTATE_DIRECTORY_TEST_PATH";

fn handle(path: &Path) -> PState {
    PState::builder(Arc::new(DirectoryAdapter::open(path).unwrap())).build().unwrap()
}

async fn count(pstate: PState) {
    for _ in 0..ROUNDS {
        let counted = pstate.update("counter:1", |counter| {
            let n = counter.get("n").and_then(Value::as_u64).unwrap_or(0);
            counter.insert("n".to_owned(), json!(n + 1));
            Ok(())
        });
        counted.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_and_another_process_lose_no_update() {
    let place = tempfile::tempdir().unwrap();
    let pstate = handle(place.path());
    pstate.put("counter:1", &json!({"n": 0})).await.unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_other_process"])
        .env(PATH, place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (one, two) =
        (tokio::spawn(count(pstate.clone())), tokio::spawn(count(handle(place.path()))));
    one.await.and(two.await).unwrap();
    let ended = tokio::task::spawn_blocking(move || other.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    let counter = handle(place.path()).get("counter:1").await.unwrap().unwrap();
    assert_eq!(counter.get("n").unwrap(), Some(&json!(3 * ROUNDS)));
}

#[tokio::test]
#[ignore = "run by `two_handles_and_another_process_lose_no_update`, in a process of its own"]
async fn the_other_process() {
    count(handle(Path::new(&std::env::var_os(PATH).unwrap()))).await;
}
