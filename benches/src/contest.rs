//! Who does the work.

use crate::Result;
use crate::backend::Backend;
use crate::by_hand::ByHand;
use crate::fixture::Fixture;
use crate::migrations::Migrations;
use crate::operation::Operation;
use crate::scene::Scene;
use crate::warm::Warm;
use crate::writes::Writes;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// PState.
    Ours,
    /// The backend's own crate, and `serde_json` to parse what is read.
    ByHand,
    /// The backend's own crate alone: what is read stays text.
    Raw,
    /// PState, without what is measured: nothing is migrated, or nothing is queued.
    Plain,
    /// The cache crate alone.
    Cache,
}

/// How many documents the largest store has.
const MANY: usize = 380_000;

/// All sides on stores of one backend. Each store is written when it is needed for the first time.
#[derive(Debug)]
pub struct Contest<B: Backend> {
    small: Option<Scene<B>>,
    warm: Option<Warm>,
    writes: Option<Writes>,
    migrations: Option<Migrations<B>>,
    large: Option<Scene<B>>,
}

impl<B: Backend> Default for Contest<B> {
    fn default() -> Self {
        Self { small: None, warm: None, writes: None, migrations: None, large: None }
    }
}

impl<B: Backend> Contest<B> {
    /// Does the work once or more; one sample for each time, in nanoseconds. Sides that are given
    /// the same round read the same keys. What has to be prepared is not part of the samples.
    ///
    /// # Errors
    /// What the store and PState report.
    pub async fn turn(
        &mut self,
        operation: Operation,
        side: Side,
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
                migrations.turn(operation, side, round).await
            }
            _ if operation.is_large() => {
                let scene = match &mut self.large {
                    Some(scene) => scene,
                    none => none.insert(Scene::new(Fixture::large(MANY)?).await?),
                };
                scene.turn(operation, side, round).await
            }
            _ => {
                let scene = match &mut self.small {
                    Some(scene) => scene,
                    none => none.insert(Scene::new(Fixture::small()?).await?),
                };
                match operation {
                    Operation::GetWarm | Operation::GetWarmTyped | Operation::Resolve => {
                        let warm = match &mut self.warm {
                            Some(warm) => warm,
                            none => none.insert(Warm::new(scene).await?),
                        };
                        match side {
                            Side::ByHand => scene.turn(operation, side, round).await,
                            _ => warm.turn(operation, side).await,
                        }
                    }
                    _ if operation.writes() => {
                        let writes = match &mut self.writes {
                            Some(writes) => writes,
                            none => none.insert(Writes::new(scene).await?),
                        };
                        scene.hand.settle().await?;
                        writes.turn(scene, operation, side, round).await
                    }
                    _ => scene.turn(operation, side, round).await,
                }
            }
        }
    }
}
