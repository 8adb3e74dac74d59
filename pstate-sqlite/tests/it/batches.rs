//! Batches, expectations and their outcomes.

use pstate_core::{
    Adapter, Atomicity, Batch, BatchMode, Durability, ErrorKind, Expect, Outcome, Revision, Space,
    Write,
};
use pstate_sqlite::{SqliteConfig, Synchronous};

use crate::fixture::{Place, get, key, put, put_write};

const OLD: &[u8] = b"old";

fn expectations() -> [(Expect, &'static str); 4] {
    [
        (Expect::Any, "any"),
        (Expect::Absent, "absent"),
        (Expect::Revision(Revision::of_content(OLD)), "old"),
        (Expect::Revision(Revision::of_content(b"other")), "other"),
    ]
}

#[tokio::test]
async fn each_expectation_holds_exactly_when_it_should() {
    let place = Place::new();
    let store = place.open();
    for mode in [BatchMode::Atomic, BatchMode::Each] {
        for stored in [None, Some(OLD)] {
            for (expect, name) in expectations() {
                for write in [put_write("card:1", "new"), Write::delete(key("card:1"))] {
                    let prepare = match stored {
                        Some(bytes) => put_write("card:1", bytes),
                        None => Write::delete(key("card:1")),
                    };
                    store.write(&Space::default(), &Batch::each(vec![prepare])).await.unwrap();
                    let put = write != Write::delete(key("card:1"));
                    let batch = Batch { mode, writes: vec![write.expecting(expect)] };
                    let outcomes = store.write(&Space::default(), &batch).await.unwrap();

                    let holds =
                        matches!((name, stored), ("any", _) | ("absent", None) | ("old", Some(_)));
                    let (outcome, left) = match (holds, put) {
                        (true, true) => ("Stored", Some(&b"new"[..])),
                        (true, false) => ("Deleted", None),
                        (false, _) => ("Conflict", stored),
                    };
                    let case = format!("{mode:?}, stored {stored:?}, expect {name}, put {put}");
                    assert!(
                        format!("{:?}", outcomes[0]).starts_with(outcome),
                        "{case}: {outcomes:?}"
                    );
                    assert_eq!(get(&store, "card:1").await.as_deref(), left, "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn one_failed_expectation_undoes_an_atomic_batch() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:2", OLD).await;
    let batch = Batch::atomic(vec![
        put_write("card:1", "new"),
        put_write("card:2", "new").expecting(Expect::Absent),
        Write::delete(key("card:2x")),
    ]);
    let outcomes = store.write(&Space::default(), &batch).await.unwrap();
    assert!(
        matches!(outcomes[..], [Outcome::Aborted, Outcome::Conflict, Outcome::Aborted]),
        "{outcomes:?}"
    );
    assert_eq!(get(&store, "card:1").await, None);
    assert_eq!(get(&store, "card:2").await.unwrap(), OLD);
}

#[tokio::test]
async fn each_write_of_an_each_batch_stands_for_itself() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:2", OLD).await;
    let batch = Batch::each(vec![
        put_write("card:1", "new"),
        put_write("card:2", "new").expecting(Expect::Absent),
        Write::delete(key("card:3")),
    ]);
    let outcomes = store.write(&Space::default(), &batch).await.unwrap();
    assert!(
        matches!(outcomes[..], [Outcome::Stored(_), Outcome::Conflict, Outcome::Deleted]),
        "{outcomes:?}"
    );
    assert_eq!(get(&store, "card:1").await.unwrap(), b"new");
    assert_eq!(get(&store, "card:2").await.unwrap(), OLD);
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused_and_nothing_written() {
    let place = Place::new();
    let store = place.open();
    for mode in [BatchMode::Atomic, BatchMode::Each] {
        let writes =
            vec![put_write("card:1", "a"), put_write("card:2", "b"), put_write("card:1", "c")];
        let error = store.write(&Space::default(), &Batch { mode, writes }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.key(), Some(&key("card:1")));
        assert_eq!(get(&store, "card:2").await, None);
    }
}

#[tokio::test]
async fn an_empty_batch_does_nothing() {
    let place = Place::new();
    let store = place.open();
    let outcomes = store.write(&Space::default(), &Batch::atomic(vec![])).await.unwrap();
    assert!(outcomes.is_empty());
}

#[tokio::test]
async fn a_value_that_is_too_long_fails_alone() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().max_value_len(10));
    assert_eq!(store.capabilities().max_value_len, Some(10));
    let batch =
        Batch::each(vec![put_write("card:1", "12345678901"), put_write("card:2", "1234567890")]);
    let outcomes = store.write(&Space::default(), &batch).await.unwrap();
    let [Outcome::Failed(error), Outcome::Stored(_)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "write: card:1: a value of 11 bytes, at most 10 are allowed");
}

#[tokio::test]
async fn a_value_that_is_too_long_refuses_an_atomic_batch() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().max_value_len(10));
    let batch = Batch::atomic(vec![put_write("card:1", "1"), put_write("card:2", "12345678901")]);
    let error = store.write(&Space::default(), &batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.key(), Some(&key("card:2")));
    assert_eq!(get(&store, "card:1").await, None);
}

#[tokio::test]
async fn durability_is_as_configured() {
    for (synchronous, durability) in [
        (Synchronous::Full, Durability::Power),
        (Synchronous::Normal, Durability::Process),
        (Synchronous::Off, Durability::Process),
    ] {
        let place = Place::new();
        let store = place.open_with(SqliteConfig::default().synchronous(synchronous));
        assert_eq!(store.capabilities().durability, durability);
        assert_eq!(store.capabilities().atomicity, Atomicity::Batch);
        put(&store, "card:1", "{}").await;
        assert_eq!(get(&store, "card:1").await.unwrap(), b"{}");
    }
}
