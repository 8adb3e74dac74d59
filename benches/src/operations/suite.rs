//! All contenders on the stores of one backend.

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::Dataset;

use super::contender::Contender;
use super::fixture::Fixture;
use super::migrations::Migrations;
use super::operation::Operation;
use super::warm::Warm;
use super::writes::Writes;

/// How many documents the large store has.
const MANY: usize = 380_000;

/// All contenders on the stores of one backend. The first operation that needs a store creates it.
#[derive(Debug)]
pub struct Suite<B: Backend> {
    small: Option<Fixture<B>>,
    warm: Option<Warm>,
    writes: Option<Writes>,
    migrations: Option<Migrations<B>>,
    large: Option<Fixture<B>>,
}

impl<B: Backend> Default for Suite<B> {
    fn default() -> Self {
        Self { small: None, warm: None, writes: None, migrations: None, large: None }
    }
}

impl<B: Backend> Suite<B> {
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
            Operation::ReadFirstMigrated
            | Operation::ReadSecond
            | Operation::QueueWriteBack
            | Operation::QueueWriteBack100K
            | Operation::Flush
            | Operation::FlushMigrated => {
                let migrations = match &mut self.migrations {
                    Some(migrations) => migrations,
                    none => none.insert(Migrations::new().await?),
                };
                migrations.run_once(operation, contender, round).await
            }
            _ if operation.is_large() => {
                let fixture = match &mut self.large {
                    Some(fixture) => fixture,
                    none => none.insert(Fixture::new(Dataset::large(MANY)?).await?),
                };
                fixture.run_once(operation, contender, round).await
            }
            _ => {
                let fixture = match &mut self.small {
                    Some(fixture) => fixture,
                    none => none.insert(Fixture::new(Dataset::small()?).await?),
                };
                match operation {
                    Operation::GetWarm | Operation::GetWarmTyped | Operation::Resolve => {
                        let warm = match &mut self.warm {
                            Some(warm) => warm,
                            none => none.insert(Warm::new(fixture).await?),
                        };
                        match contender {
                            Contender::Baseline => {
                                fixture.run_once(operation, contender, round).await
                            }
                            _ => warm.run_once(operation, contender).await,
                        }
                    }
                    _ if operation.writes() => {
                        let writes = match &mut self.writes {
                            Some(writes) => writes,
                            none => none.insert(Writes::new(fixture).await?),
                        };
                        fixture.store.baseline.settle().await?;
                        writes.run_once(fixture, operation, contender, round).await
                    }
                    _ => fixture.run_once(operation, contender, round).await,
                }
            }
        }
    }
}
