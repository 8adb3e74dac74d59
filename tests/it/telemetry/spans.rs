//! Spans around what takes longer than a read of the cache.

use std::sync::Arc;

use pstate::{Error, ErrorKind, MemoryAdapter, PState, Staleness};
use pstate_testkit::{Call, FaultLayer};
use serde_json::json;
use tracing::Level;

use super::log::Log;

#[tokio::test]
async fn operations_and_calls_have_spans_named_as_opentelemetry_does() {
    let log = Log::of(Level::DEBUG);
    let _logged = log.begin();
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let pstate = PState::builder(faults.clone()).staleness(Staleness::Unbounded).build().unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    assert_eq!(
        log.take(),
        [
            "operation: otel.name=put db.operation.name=put db.namespace=default \
             db.operation.batch.size=1",
            "call: otel.name=write otel.kind=client db.system.name=memory \
             db.operation.name=write db.operation.batch.size=1",
            "then: db.namespace=default",
        ]
    );
    pstate.get("card:1").await.unwrap();
    assert!(log.take().is_empty(), "a read of the cache has no span");

    faults.fail(Call::Read, Error::new(ErrorKind::Timeout, "late"));
    pstate.get("card:2").await.unwrap_err();
    let told = log.take();
    assert_eq!(told.iter().filter(|line| line.contains("error.type=timeout")).count(), 2);
    assert!(told.contains(&"then: otel.status_code=ERROR".to_owned()), "{told:?}");
}
