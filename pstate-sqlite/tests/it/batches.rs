//! Batches, expectations and their outcomes.

use pstate_core::{Adapter, Atomicity, Batch, Durability, ErrorKind, Outcome, Space};
use pstate_sqlite::{SqliteConfig, Synchronous};

use crate::fixture::{Place, get, key, put, put_write};

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
    assert_eq!(
        error.to_string(),
        "write: card:1: a value of 11 bytes; this store takes at most 10"
    );
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
