//! Everything is swept while users write, old documents too.

use std::time::Duration;

use futures_util::future::join_all;
use pstate::{ErrorKind, PState, SweepReport};
use pstate_testkit::workload;

use super::round::{Round, at_last, each_round};
use super::write_backs::{documents, is_all_migrated, writer};
use crate::stores::{Store, on_each_store};

/// A sweep from wherever the last one has ended. It may fail while there are faults.
async fn sweep(pstate: &PState) -> pstate::Result<SweepReport> {
    // Longer than any delay, and than a limit and its retries: a sweep that is only slow is not
    // taken for dead.
    pstate.migrate_all().page_size(3).lease(Duration::from_millis(40)).run().await
}

/// Two handles sweep, as two processes would, while users write; then the faults end, and one sweep
/// later everything is migrated.
async fn sweep_beside_users(round: &mut Round<'_>) {
    let schema = || workload::schema().unwrap();
    let sweepers: Vec<PState> = (0..2)
        .map(|_| round.builder().schema(schema()).migration_writer(writer()).build().unwrap())
        .collect();
    let plain = round.builder_without_faults().build().unwrap();
    let mut author = round.client(&plain);
    for cell in round.documents.cells() {
        author.put_old(cell).await;
    }
    let mut tasks = Vec::new();
    for sweeper in sweepers.clone() {
        tasks.push(tokio::spawn(async move {
            for _ in 0..4 {
                if let Err(error) = sweep(&sweeper).await {
                    let expected =
                        [ErrorKind::Conflict, ErrorKind::Timeout, ErrorKind::Unavailable];
                    assert!(expected.contains(&error.kind()), "{error}");
                }
            }
        }));
    }
    // Users of a handle that sweeps: what they read is never older than what they have written.
    for _ in 0..3 {
        let mut user = round.client(&sweepers[0]);
        tasks.push(tokio::spawn(async move {
            for _ in 0..15 {
                match user.rng.u8(..3) {
                    0 => user.act(async |user| user.read().await).await,
                    1 => user.act(async |user| user.write().await).await,
                    _ => {
                        let cell = user.one();
                        user.act(async |user| user.put_old(cell).await).await;
                    }
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in join_all(tasks).await {
        task.unwrap();
    }
    round.heal().await;
    // The first goes on where one has ended, behind documents that were written old again.
    at_last(async || sweep(&sweepers[0]).await.is_ok()).await;
    let mut report = None;
    at_last(async || {
        report = sweep(&sweepers[1]).await.ok();
        report.is_some()
    })
    .await;
    let report = report.unwrap();
    assert_eq!((report.finished, report.failed, report.newer), (true, 0, 0));
    assert!(is_all_migrated(round).await);
    let mut last = round.client(&sweepers[0]);
    last.get_each().await;
    round.check();
}

on_each_store! {
    async fn a_sweep_undoes_nothing_and_leaves_nothing_old(store: Store) {
        each_round(4, async |seed| {
            sweep_beside_users(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_of_events_a_sweep_undoes_nothing_and_leaves_nothing_old() {
    each_round(100, async |seed| {
        let store = Store::memory();
        sweep_beside_users(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}
