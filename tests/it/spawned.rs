//! Every future of the public interface runs inside a spawned task, which needs it to be `Send` for
//! any lifetime. Most of what this tests, it tests by being compiled.

use std::sync::Arc;

use futures_util::TryStreamExt;
use pstate::{
    CachePolicy, Collection, Copy, Job, MemoryAdapter, PState, Preload, Result, ScanQuery, Sweep,
    Warm,
};
use pstate_testkit::workload;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    n: u64,
}

const CARDS: Collection<Card> = Collection::new("card");

async fn handle_calls(pstate: PState) -> Result<()> {
    pstate.put("deck:es", &json!({"cards": {}})).await?;
    pstate.put_at(1, "base_card:1", &json!({"text": "hola"})).await?;
    pstate.multi_put([("card:2", json!({"n": 2})), ("card:3", json!({"n": 3}))]).await?;
    pstate.create_linked("deck:es", "cards", "card:1", &json!({"n": 1})).await?;
    pstate.get("card:1").await?;
    pstate.multi_get(["card:1", "card:2"]).await?;
    pstate.multi_get_each(["card:1", "card:2"]).await?;
    pstate.cache_policy(CachePolicy::Refresh).get("card:1").await?;
    pstate.preload("deck:es", "cards").await?;
    pstate.preload("deck:es", Preload::new()).await?;
    pstate.get_resolved("deck:es", 1).await?;
    pstate.spaces().await?;
    pstate.migration_status().await?;
    let changed = pstate.update("card:1", |card| {
        card["n"] = json!(2);
        Ok(())
    });
    changed.await?;
    pstate.batch().put("card:4", &json!({"n": 4})).delete("card:2").commit().await?;
    pstate.delete("card:3").await?;
    pstate.flush().await?;
    pstate.space("other")?.clear_space().await?;
    Ok(())
}

async fn typed_calls(pstate: PState) -> Result<()> {
    CARDS.put(&pstate, "1", &Card { n: 1 }).await?;
    CARDS.multi_put(&pstate, [("2", Card { n: 2 })]).await?;
    CARDS.get(&pstate, "1").await?;
    CARDS.multi_get(&pstate, ["1", "2"]).await?;
    let change = |card: &mut Card| {
        card.n += 1;
        Ok(())
    };
    CARDS.update(&pstate, "1", change).await?;
    CARDS.scan(&pstate).next().await.unwrap()?;
    CARDS.scan(&pstate).collect().await?;
    CARDS.delete(&pstate, "1").await
}

async fn scans(query: ScanQuery) -> Result<()> {
    query.clone().page().await?;
    let mut documents = query.clone().stream();
    documents.next().await.unwrap()?;
    let rest = documents.collect().await?;
    assert_eq!(query.stream().try_collect::<Vec<_>>().await?.len(), rest.len() + 1);
    Ok(())
}

async fn to_its_end<P, R>(job: Job<P, R>) -> Result<R>
where
    P: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    let mut changes = job.changes();
    let watching = tokio::spawn(async move { while changes.next().await.is_some() {} });
    let report = job.wait().await;
    watching.await.unwrap();
    report
}

async fn sweeps(sweep: Sweep) -> Result<()> {
    sweep.clone().dry_run().await?;
    sweep.clone().run().await?;
    to_its_end(sweep.start().await?).await?;
    Ok(())
}

async fn copies(copy: Copy) -> Result<()> {
    assert!(copy.clone().run().await?.is_complete());
    assert!(copy.clone().verify().await?.is_complete());
    let copied = to_its_end(copy.overwrite(true).start().await?).await?;
    assert!(copied.is_complete());
    Ok(())
}

#[tokio::test]
async fn every_future_runs_inside_a_spawned_task() {
    let memory = Arc::new(MemoryAdapter::new());
    let builder = || PState::builder(memory.clone()).schema(workload::schema().unwrap());
    let built = builder();
    let pstate = tokio::spawn(async move { built.build_if_readable().await }).await;
    let pstate = pstate.unwrap().unwrap();
    let task = pstate.clone();
    tokio::spawn(async move { handle_calls(task).await }).await.unwrap().unwrap();
    let task = pstate.clone();
    tokio::spawn(async move { typed_calls(task).await }).await.unwrap().unwrap();
    let query = pstate.scan("card:");
    tokio::spawn(async move { scans(query).await }).await.unwrap().unwrap();
    let sweep = pstate.migrate_all();
    tokio::spawn(async move { sweeps(sweep).await }).await.unwrap().unwrap();
    let warming = pstate.warm(Warm::new().prefix("card:")).unwrap();
    tokio::spawn(async move { to_its_end(warming).await }).await.unwrap().unwrap();
    let copy = pstate::copy(memory.clone(), Arc::new(MemoryAdapter::new()));
    tokio::spawn(async move { copies(copy).await }).await.unwrap().unwrap();
    tokio::spawn(async move { pstate.close().await }).await.unwrap().unwrap();
}
