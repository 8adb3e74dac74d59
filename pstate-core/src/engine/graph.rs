//! Loading a graph: a preload, level by level, or what of it has changed since the last one.

use std::slice;
use std::sync::Arc;

use tokio::task::yield_now;

use super::engine::Engine;
use crate::cache::{ALL_STALE, CacheKey, CachePolicy, Known, MOST_CHANGED};
use crate::model::{Excerpt, Key, Result};
use crate::preload::{Graph, Loaded, Plan, Preload, Walk};
use crate::telemetry::{Call, Event, Operation, OperationSpan};

/// Carries out a preload from the document under `key`: one load for it, and one for each level of
/// references. Those that have not changed since the last time are not looked up.
pub(crate) async fn load_graph(
    engine: &Engine,
    call: Call<'_>,
    key: &Key,
    preload: &Preload,
    policy: CachePolicy,
) -> Result<Option<Loaded>> {
    let min_epoch = engine.wait_until_fresh(policy).await;
    let place = CacheKey { space: call.space().clone(), key: key.clone() };
    // Observers and the detector of single reads see each document; a closure may decide otherwise
    // each time.
    let may_share = min_epoch != ALL_STALE
        && !engine.telemetry().is_observed()
        && !engine.detects_single_reads()
        && !preload.has_closures();
    let known = may_share.then(|| engine.cache().known_graph(&place, preload, min_epoch)).flatten();
    let changed = match known {
        Some(Known::Unchanged(graph, should_yield)) => {
            engine.check_open()?;
            if should_yield {
                yield_now().await;
            }
            engine.counters().preloads.record(graph.keys(), 0);
            let loaded = Loaded::new(graph, Vec::new(), 0);
            warn_of_unmatched(call, key, &loaded);
            return Ok(Some(loaded));
        }
        Some(Known::Changed(graph)) => Some(graph),
        None => None,
    };

    let plan = Plan::new(preload).map_err(|error| call.locate(error))?;
    let operation = engine.operation(call, Operation::Preload, 1);
    let mut cost = Cost::default();
    let load = async {
        if let Some(changed) = changed
            && let Some(loaded) = update(engine, &operation, &changed, policy, &mut cost).await?
        {
            return Ok(Some(loaded));
        }
        walk(engine, &operation, key, &plan, policy, &mut cost).await
    };
    let loaded = operation.run(load).await;
    let Cost { levels, keys, round_trips } = cost;
    engine.counters().preloads.record(keys, round_trips);
    let duration = operation.end(Some(key.borrow()), keys);
    if operation.is_observed() {
        let (space, key, error) = (call.space(), key.borrow(), loaded.as_ref().err());
        operation.emit(&Event::Preload { space, key, levels, keys, round_trips, error, duration });
    }
    let loaded = loaded?;
    if let Some(loaded) = &loaded {
        // What was read from the store is not likely to be asked for again before it changes.
        if may_share && loaded.round_trips() == 0 && loaded.failures().is_empty() {
            engine.cache().keep_graph(place, preload, loaded.graph(), min_epoch);
        }
        warn_of_unmatched(call, key, loaded);
    }
    Ok(loaded)
}

/// Loads what has changed of a graph; `None` if the documents that it leads to have to be found
/// again.
async fn update(
    engine: &Engine,
    operation: &OperationSpan<'_>,
    graph: &Arc<Graph>,
    policy: CachePolicy,
    cost: &mut Cost,
) -> Result<Option<Loaded>> {
    let Some(changed) = graph.changed(MOST_CHANGED) else { return Ok(None) };
    let keys: Vec<Key> = changed.iter().map(|&at| graph.documents()[at].key().clone()).collect();
    let loads = engine.load(operation, &keys, policy, None).await;
    let mut documents = Vec::with_capacity(keys.len());
    for document in loads.documents {
        // The walk says which path leads to it.
        let Ok(Some(document)) = document else { return Ok(None) };
        documents.push(document);
    }
    let Some(graph) = graph.replace(changed.into_iter().zip(documents)) else { return Ok(None) };
    cost.add(graph.keys(), loads.round_trips);
    Ok(Some(Loaded::new(graph.into(), Vec::new(), loads.round_trips)))
}

async fn walk(
    engine: &Engine,
    operation: &OperationSpan<'_>,
    key: &Key,
    plan: &Plan,
    policy: CachePolicy,
    cost: &mut Cost,
) -> Result<Option<Loaded>> {
    let members = plan.root_members();
    let mut root = engine.load(operation, slice::from_ref(key), policy, members.as_ref()).await;
    cost.add(1, root.round_trips);
    let Some(document) = root.documents.pop().unwrap_or(Ok(None))? else { return Ok(None) };

    let mut walk = Walk::new(plan, engine.schema(), document);
    while let Some(wanted) = walk.frontier()? {
        let members = walk.members();
        let level = engine.load(operation, &wanted, policy, members.as_ref()).await;
        cost.add(wanted.len(), level.round_trips);
        cost.levels += 1;
        walk.advance(level.documents)?;
    }
    let mut loaded = Loaded::from_walk(walk, cost.round_trips);
    loaded.map_failures(|error| operation.locate(error));
    Ok(Some(loaded))
}

fn warn_of_unmatched(call: Call<'_>, key: &Key, loaded: &Loaded) {
    if let [first, others @ ..] = loaded.unmatched() {
        let (space, path) = (call.space(), Excerpt(first));
        tracing::warn!(
            %space, %key, %path, others = others.len(),
            "no document has the field of a path that a preload follows"
        );
    }
}

/// What a preload has taken.
#[derive(Default)]
struct Cost {
    /// Of references.
    levels: usize,
    keys: usize,
    round_trips: usize,
}

impl Cost {
    fn add(&mut self, keys: usize, round_trips: usize) {
        self.keys += keys;
        self.round_trips += round_trips;
    }
}
