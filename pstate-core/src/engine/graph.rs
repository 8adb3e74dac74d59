//! Loading a graph: a preload, level by level.

use std::slice;

use super::engine::Engine;
use crate::cache::CachePolicy;
use crate::model::{Excerpt, Key, Result};
use crate::preload::{Loaded, Plan, Walk};
use crate::telemetry::{Call, Event, Operation, OperationSpan};

/// Carries out a plan from the document under `key`: one load for it, and one for each level of
/// references.
pub(crate) async fn load_graph(
    engine: &Engine,
    call: Call<'_>,
    key: &Key,
    plan: &Plan,
    policy: CachePolicy,
) -> Result<Option<Loaded>> {
    let operation = engine.operation(call, Operation::Preload, 1);
    let mut cost = Cost::default();
    let walk = walk(engine, &operation, key, plan, policy, &mut cost);
    let loaded = operation.run(walk).await;
    let Cost { levels, keys, round_trips } = cost;
    engine.counters().preloads.record(keys, round_trips);
    let duration = operation.end(Some(key.borrow()), keys);
    if operation.is_observed() {
        let (space, key, error) = (call.space(), key.borrow(), loaded.as_ref().err());
        operation.emit(&Event::Preload { space, key, levels, keys, round_trips, error, duration });
    }
    loaded
}

async fn walk(
    engine: &Engine,
    operation: &OperationSpan<'_>,
    key: &Key,
    plan: &Plan,
    policy: CachePolicy,
    cost: &mut Cost,
) -> Result<Option<Loaded>> {
    let mut root = engine.load(operation, slice::from_ref(key), policy, None).await;
    cost.add(1, root.round_trips);
    let Some(document) = root.documents.pop().unwrap_or(Ok(None))? else { return Ok(None) };

    let mut walk = Walk::new(plan, engine.schema(), document);
    while let Some(wanted) = walk.frontier()? {
        let level = engine.load(operation, &wanted, policy, None).await;
        cost.add(wanted.len(), level.round_trips);
        cost.levels += 1;
        walk.advance(&wanted, level.documents, level.round_trips)?;
    }
    let mut loaded = walk.finish();
    loaded.count_root(root.round_trips);
    loaded.map_failures(|error| operation.locate(error));
    if let [first, others @ ..] = loaded.unmatched() {
        let (space, path) = (operation.space(), Excerpt(first));
        tracing::warn!(
            %space, %key, %path, others = others.len(),
            "no document has the field of a path that a preload follows"
        );
    }
    Ok(Some(loaded))
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
