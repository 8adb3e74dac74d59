//! All contenders on the stores of one backend.

use crate::Result;
use crate::backend::{Backend, BackendName};
use crate::documents::Dataset;

use super::contender::Contender;
use super::fixture::Fixture;
use super::graphs::Graphs;
use super::loads::Loads;
use super::migrations::Migrations;
use super::operation::Operation;
use super::sweeps::Sweeps;
use super::warm::Warm;
use super::writes::Writes;

/// How many documents the large store has.
const MANY: usize = 380_000;

/// All contenders on the stores of one backend. The first operation that needs a store creates it.
#[derive(Debug)]
pub struct Suite<B: Backend> {
    has_index: bool,
    small: Option<Fixture<B>>,
    warm: Option<Warm>,
    graphs: Option<Graphs>,
    writes: Option<Writes>,
    loads: Option<Loads>,
    migrations: Option<Migrations<B>>,
    sweeps: Option<Sweeps<B>>,
    large: Option<Fixture<B>>,
}

impl<B: Backend> Suite<B> {
    /// No store yet.
    pub fn new(backend: BackendName) -> Self {
        Self {
            has_index: backend.has_index(),
            small: None,
            warm: None,
            graphs: None,
            writes: None,
            loads: None,
            migrations: None,
            sweeps: None,
            large: None,
        }
    }

    /// Runs an operation for one contender, once or more. Returns one sample for each run, in
    /// nanoseconds; the preparation is not part of the samples. Contenders that get the same round
    /// read the same keys.
    ///
    /// # Errors
    /// What the store and PState report.
    pub async fn run_once(
        &mut self,
        operation: Operation,
        contender: Contender,
        round: usize,
    ) -> Result<Vec<f64>> {
        match operation {
            _ if operation.is_migration() => {
                let migrations = match &mut self.migrations {
                    Some(migrations) => migrations,
                    none => none.insert(Migrations::new().await?),
                };
                migrations.run_once(operation, contender, round).await
            }
            Operation::Sweep => {
                let sweeps = match &mut self.sweeps {
                    Some(sweeps) => sweeps,
                    none => none.insert(Sweeps::new().await?),
                };
                sweeps.run_once(contender == Contender::PState).await
            }
            Operation::Load => {
                let loads = match &mut self.loads {
                    Some(loads) => loads,
                    none => none.insert(Loads::new()?),
                };
                loads.run_once::<B>(contender).await
            }
            _ if operation.is_large() => {
                let fixture = match &mut self.large {
                    Some(fixture) => fixture,
                    none => none.insert(Fixture::new(Dataset::large(MANY)?, self.has_index).await?),
                };
                fixture.run_once(operation, contender, round).await
            }
            _ => self.run_small(operation, contender, round).await,
        }
    }

    async fn run_small(
        &mut self,
        operation: Operation,
        contender: Contender,
        round: usize,
    ) -> Result<Vec<f64>> {
        let fixture = match &mut self.small {
            Some(fixture) => fixture,
            none => none.insert(Fixture::new(Dataset::small()?, self.has_index).await?),
        };
        let is_by_hand = matches!(contender, Contender::Baseline | Contender::Index);
        match operation {
            _ if operation.writes() => {
                let writes = match &mut self.writes {
                    Some(writes) => writes,
                    none => none.insert(Writes::new(fixture).await?),
                };
                fixture.store.settle().await?;
                writes.run_once(fixture, operation, contender, round).await
            }
            _ if is_by_hand => fixture.run_once(operation, contender, round).await,
            Operation::GetWarm | Operation::GetWarmTyped | Operation::Resolve => {
                let warm = match &mut self.warm {
                    Some(warm) => warm,
                    none => none.insert(Warm::new(fixture).await?),
                };
                warm.run_once(operation, contender).await
            }
            _ if operation.is_preloaded_before() => {
                let graphs = match &mut self.graphs {
                    Some(graphs) => graphs,
                    none => none.insert(Graphs::new(fixture).await?),
                };
                graphs.run_once(operation).await
            }
            _ => fixture.run_once(operation, contender, round).await,
        }
    }
}
