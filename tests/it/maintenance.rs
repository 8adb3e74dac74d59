//! Looking after a store through the handle that `connect` returns.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Adapter, Error, ErrorKind, PState, RetryLayer, TimeoutLayer};
use pstate_testkit::{CountingLayer, FaultLayer, RecordingLayer};
use serde_json::json;

use crate::stores::on_each_store;

fn name_and_kind(error: &Error) -> (Option<&str>, ErrorKind) {
    (error.operation(), error.kind())
}

on_each_store! {
    async fn a_store_is_backed_up_and_checked_or_says_that_it_cannot_be(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"front": "hola"})).await.unwrap();
        let name = store.adapter().name();
        let maintenance = match pstate.maintenance() {
            Ok(maintenance) => maintenance,
            Err(error) => {
                assert!(["memory", "redis"].contains(&name), "{error}");
                assert_eq!(name_and_kind(&error), (Some("maintenance"), ErrorKind::Unsupported));
                return;
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        maintenance.backup(&copy).await.unwrap();
        pstate.put("card:2", &json!({})).await.unwrap();
        maintenance.checkpoint().await.unwrap();
        assert_eq!(maintenance.verify().await.unwrap(), Vec::<String>::new());
        match maintenance.compact().await {
            Ok(()) => assert_eq!(name, "sqlite"),
            Err(error) => {
                assert_eq!(name, "sled");
                assert_eq!(error.to_string(), "compact: the store has no compaction");
                assert_eq!(error.kind(), ErrorKind::Unsupported);
            }
        }
        let error = maintenance.backup(&copy).await.unwrap_err();
        assert_eq!(name_and_kind(&error), (Some("backup"), ErrorKind::Config));

        let copied = pstate::connect(&format!("{name}:{}", copy.display())).await.unwrap();
        let copied = copied.build().unwrap();
        let card = copied.get("card:1").await.unwrap().unwrap();
        assert_eq!(card.value().unwrap()["front"], "hola");
        assert!(copied.get("card:2").await.unwrap().is_none());
        assert!(pstate.get("card:2").await.unwrap().is_some());

        pstate.close().await.unwrap();
        let error = maintenance.verify().await.unwrap_err();
        assert_eq!(name_and_kind(&error), (Some("verify"), ErrorKind::Unavailable));
    }

    async fn layers_hand_maintenance_on(store: Store) {
        let offered = |adapter: Arc<dyn Adapter>| {
            PState::builder(adapter).build().unwrap().maintenance().is_ok()
        };
        let inner = store.adapter();
        let expected = offered(inner.clone());
        let layers: [Arc<dyn Adapter>; 5] = [
            Arc::new(RetryLayer::new(inner.clone())),
            Arc::new(TimeoutLayer::new(inner.clone(), Duration::from_secs(5))),
            Arc::new(CountingLayer::new(inner.clone())),
            Arc::new(FaultLayer::new(inner.clone())),
            Arc::new(RecordingLayer::new(inner)),
        ];
        for layer in layers {
            assert_eq!(offered(layer), expected);
        }
    }
}
