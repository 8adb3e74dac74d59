//! Old documents are read, migrated and written back while others write them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pstate::{MigrationWriter, PState};
use pstate_testkit::workload;
use serde_json::json;

use super::client::{Client, Documents};
use super::round::{Round, at_last, each_round};
use super::witness::Witness;
use crate::stores::{Store, on_each_store};

/// Eight cards.
pub(super) fn documents() -> Documents {
    Documents((0..8).map(|id| (format!("base_card:{id}"), json!({"front": "hola"}))).collect())
}

pub(super) fn writer() -> MigrationWriter {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(4));
    MigrationWriter::default()
        .batch_size(3)
        .flush_interval(Duration::from_millis(2))
        .retry_delay(first, longest)
}

impl Client {
    /// Flushes; whether that was possible and nothing is left. What is left is reported.
    async fn flush(&mut self) -> bool {
        let attempt = self.witness.begin("flush".to_owned());
        match self.pstate.flush().await {
            Ok(report) => {
                assert_eq!(report.left > 0, report.unavailable.is_some(), "{report}");
                report.left == 0
            }
            Err(error) => {
                attempt.failed(&error);
                false
            }
        }
    }
}

/// Some tasks read old documents while others write, old ones too; then the faults end.
async fn migrate(round: &mut Round<'_>, readers: &PState, witness: &Arc<Witness>, users: &PState) {
    let plain = round.builder_without_faults().build().unwrap();
    let mut author = round.client(&plain);
    for cell in round.documents.cells() {
        author.put_old(cell).await;
    }
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let mut reader = round.client_seen_by(readers, witness.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..30 {
                reader.act(async |reader| reader.read().await).await;
                if reader.rng.u8(..8) == 0 {
                    reader.act(async |reader| _ = reader.flush().await).await;
                }
            }
        }));
    }
    for _ in 0..3 {
        let mut user = round.client(users);
        tasks.push(tokio::spawn(async move {
            for _ in 0..12 {
                if user.rng.bool() {
                    user.act(async |user| user.write().await).await;
                } else {
                    let cell = user.one();
                    user.act(async |user| user.put_old(cell).await).await;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in join_all(tasks).await {
        task.unwrap();
    }
    round.heal().await;
    let mut last = round.client_seen_by(readers, witness.clone());
    at_last(async || last.flush().await).await;
    let written_back = readers.stats().write_back;
    assert_eq!((written_back.queued, written_back.failed, written_back.dropped), (0, 0, 0));
}

/// What is stored, each as it was put or as that is migrated; whether all of it is migrated.
pub(super) async fn is_all_migrated(round: &Round<'_>) -> bool {
    let mut migrated = true;
    for document in round.stored().await.into_iter().flatten() {
        let rank = Documents::value(&document);
        let old = format!(r#"{{"$v":1,"front":"hola","rank":"{rank}"}}"#);
        let new = format!(r#"{{"$v":2,"front":"hola","rank":{rank}}}"#);
        assert!([&old, &new].contains(&&document.as_str().to_owned()), "{}", document.as_str());
        migrated &= document.as_str() == new;
    }
    migrated
}

/// All go through one handle; in the end everything is migrated.
async fn migrate_within_a_handle(round: &mut Round<'_>) {
    let schema = workload::schema().unwrap();
    let pstate = round.builder().schema(schema).migration_writer(writer()).build().unwrap();
    let witness = round.witness.clone();
    migrate(round, &pstate, &witness, &pstate).await;
    let mut last = round.client(&pstate);
    for _ in 0..100 {
        last.get_each().await;
        at_last(async || last.flush().await).await;
        if is_all_migrated(round).await {
            return round.check();
        }
    }
    panic!("documents that are read are not migrated, or that is not written back");
}

/// The readers' handle knows nothing of what is written through the users'.
async fn migrate_under_a_foreign_handle(round: &mut Round<'_>) {
    let schema = || workload::schema().unwrap();
    let readers = round.builder().schema(schema()).migration_writer(writer()).build().unwrap();
    let users = round.builder_without_faults().schema(schema()).build().unwrap();
    migrate(round, &readers, &Arc::default(), &users).await;
    is_all_migrated(round).await;
    round.check();
}

on_each_store! {
    async fn a_write_back_undoes_nothing_and_is_done_in_the_end(store: Store) {
        each_round(8, async |seed| {
            migrate_within_a_handle(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }

    async fn a_write_back_undoes_nothing_that_another_handle_has_written(store: Store) {
        each_round(8, async |seed| {
            migrate_under_a_foreign_handle(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_of_events_a_write_back_undoes_nothing_and_is_done_in_the_end() {
    each_round(100, async |seed| {
        let store = Store::memory();
        migrate_within_a_handle(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_of_events_a_write_back_undoes_nothing_of_another_handle() {
    each_round(100, async |seed| {
        let store = Store::memory();
        migrate_under_a_foreign_handle(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}
