//! Sweeps that continue where an earlier one stopped.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pstate::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, PState, Page, Record, Result, Scan,
    Space,
};
use serde_json::json;

use super::{fill, handle, in_memory, key};

/// An adapter without extensions.
#[derive(Debug)]
struct CannotCount(Arc<dyn Adapter>);

#[async_trait]
impl Adapter for CannotCount {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.0.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.0.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.0.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.0.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.0.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

/// Sweeps ten documents a second, and stops after this time; returns how many are done then.
async fn sweep_for(pstate: &PState, time: Duration) -> u64 {
    let sweep = pstate.migrate_all().page_size(10).rate(10).start().await.unwrap();
    tokio::time::sleep(time).await;
    sweep.cancel();
    let report = sweep.wait().await.unwrap();
    assert!(!report.finished);
    report.done
}

#[tokio::test(start_paused = true)]
async fn what_was_restored_behind_a_stopped_sweep_is_migrated_before_it_has_finished() {
    for stopped_again in [false, true] {
        for counts in [false, true] {
            let setup = in_memory(100).await;
            let adapter: Arc<dyn Adapter> = if counts {
                setup.adapter.clone()
            } else {
                Arc::new(CannotCount(setup.adapter.clone()))
            };
            let pstate = handle(adapter);
            assert_eq!(sweep_for(&pstate, Duration::from_millis(2_500)).await, 30);
            pstate.clear_space().await.unwrap();
            fill(setup.adapter.clone(), 100).await;
            let mut stored = 30 + 100;
            if stopped_again {
                // After 7 pages of cards and one of decks it has begun to look again.
                assert_eq!(sweep_for(&pstate, Duration::from_millis(7_500)).await, 71 + 10);
                pstate.clear_space().await.unwrap();
                fill(setup.adapter.clone(), 100).await;
                stored += 80;
            }
            let report = pstate.migrate_all().page_size(10).run().await.unwrap();
            assert!(report.finished);
            assert_eq!((report.done, report.stored, report.failed), (101, stored, 0), "{report}");
            let status = pstate.migration_status().await.unwrap();
            assert_eq!((status.older(), status.sweep.unwrap().finished), (0, true));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_behind_and_beyond_a_stop_is_counted_once() {
    for counts in [false, true] {
        let setup = in_memory(100).await;
        let plain = PState::builder(setup.adapter.clone()).build().unwrap();
        for bad in [5, 95] {
            let damaged = json!({ "$v": 1, "text": "a", "rank": "many" });
            plain.put(key(bad), &damaged).await.unwrap();
        }
        let adapter: Arc<dyn Adapter> = if counts {
            setup.adapter.clone()
        } else {
            Arc::new(CannotCount(setup.adapter.clone()))
        };
        let pstate = handle(adapter);
        sweep_for(&pstate, Duration::from_millis(2_500)).await;
        let report = pstate.migrate_all().page_size(10).run().await.unwrap();
        assert_eq!((report.done, report.stored, report.failed), (101, 98, 2), "{report}");
        let mut failed: Vec<_> = report.failures.iter().filter_map(|it| it.key.clone()).collect();
        failed.sort();
        assert_eq!(failed.iter().map(Key::as_str).collect::<Vec<_>>(), [key(5), key(95)]);
    }
}
