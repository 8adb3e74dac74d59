//! A fault layer over memory, and short calls to both.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pstate_core::{
    Adapter, Batch, Error, ErrorKind, Key, MemoryAdapter, Result, Scan, Space, Write,
};
use pstate_testkit::{Call, FaultLayer, FaultRates};
use tokio::task::JoinHandle;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn memory() -> (Arc<MemoryAdapter>, Arc<FaultLayer>) {
    let memory = Arc::new(MemoryAdapter::new());
    (memory.clone(), Arc::new(FaultLayer::new(memory)))
}

pub(crate) fn seeded(seed: u64, rates: FaultRates) -> (Arc<MemoryAdapter>, Arc<FaultLayer>) {
    let memory = Arc::new(MemoryAdapter::new());
    (memory.clone(), Arc::new(FaultLayer::seeded(memory, seed, rates)))
}

pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "gone")
}

fn key(id: &str) -> Key {
    format!("card:{id}").parse().unwrap()
}

/// Stores a text under `card:1`.
pub(crate) async fn put(adapter: &dyn Adapter, text: &str) -> Result<()> {
    put_at(adapter, "1", text).await
}

pub(crate) async fn put_at(adapter: &dyn Adapter, id: &str, text: &str) -> Result<()> {
    let batch = Batch::each(vec![Write::put(key(id), text.as_bytes())]);
    adapter.write(&Space::default(), &batch).await.map(|_| ())
}

/// The text under `card:1`; empty if there is no record.
pub(crate) async fn get(adapter: &dyn Adapter) -> Result<String> {
    get_at(adapter, "1").await
}

pub(crate) async fn get_at(adapter: &dyn Adapter, id: &str) -> Result<String> {
    let records = adapter.multi_get(&Space::default(), &[key(id)]).await?;
    let record = records.into_iter().next().flatten();
    Ok(record.map_or_else(String::new, |record| String::from_utf8(record.bytes.to_vec()).unwrap()))
}

/// Makes a call of this kind.
pub(crate) async fn call(adapter: &dyn Adapter, call: Call) -> Result<()> {
    let space = Space::default();
    match call {
        Call::Read => adapter.multi_get(&space, &[key("1")]).await.map(|_| ()),
        Call::Write => put(adapter, "{}").await,
        Call::Scan => {
            let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
            adapter.scan(&space, &scan).await.map(|_| ())
        }
        Call::Spaces => adapter.spaces().await.map(|_| ()),
        Call::Flush => adapter.flush().await,
        Call::Close => adapter.close().await,
    }
}

pub(crate) const EACH_CALL: [Call; 6] =
    [Call::Read, Call::Write, Call::Scan, Call::Spaces, Call::Flush, Call::Close];

/// Stores `"a"` under `card:1`, in a task of its own.
pub(crate) fn spawn_put(faults: &Arc<FaultLayer>) -> JoinHandle<Result<()>> {
    let faults = faults.clone();
    tokio::spawn(async move { put(&*faults, "a").await })
}
