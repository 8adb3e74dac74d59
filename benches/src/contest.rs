//! Who does the work.

use std::sync::Arc;

use crate::Result;
use crate::by_hand::ByHand;
use crate::fixture::Fixture;
use crate::operation::Operation;
use crate::ours::Ours;

/// How many documents a turn of warm reads reads, again and again, in a loop of 1,000 reads. Its
/// sample is their mean: a single one takes little longer than reading the clock.
pub(crate) const WARM_KEYS: usize = 100;
/// How often it reads them.
pub(crate) const WARM_PASSES: usize = 10;
/// How many single documents a turn of cold reads reads, each a sample.
pub(crate) const COLD_GETS: usize = 100;
/// How many batches a turn of writes writes, each a sample.
pub(crate) const WRITES: usize = 3;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// PState.
    Ours,
    /// rusqlite, and `serde_json` to parse what is read.
    ByHand,
    /// rusqlite alone: what is read stays text.
    ByHandRaw,
    /// PState, without what is measured: nothing is migrated, or nothing is queued.
    Plain,
}

impl Side {
    /// Those that can do this operation.
    pub fn of(operation: Operation) -> &'static [Self] {
        match operation {
            Operation::GetColdOld | Operation::QueueBehind1K | Operation::QueueBehind100K => {
                &[Self::Ours, Self::Plain]
            }
            // Whoever writes has something to serialise.
            _ if operation.writes() => &[Self::Ours, Self::ByHand],
            _ => &[Self::Ours, Self::ByHand, Self::ByHandRaw],
        }
    }
}

/// All sides on one file.
#[derive(Debug)]
pub struct Contest {
    ours: Ours,
    by_hand: ByHand,
    /// How many batches were written.
    editions: usize,
}

impl Contest {
    /// Writes the file, about 37,000 documents, in the directory for temporary files.
    ///
    /// # Errors
    /// What SQLite reports.
    pub async fn new() -> Result<Self> {
        let fixture = Arc::new(Fixture::new().await?);
        let ours = Ours::new(fixture.clone()).await?;
        Ok(Self { ours, by_hand: ByHand::new(fixture)?, editions: 0 })
    }

    /// Does the work once or more; one sample for each time, in nanoseconds. Sides that are given
    /// the same round read the same keys.
    ///
    /// # Errors
    /// What SQLite and PState report.
    pub async fn turn(
        &mut self,
        operation: Operation,
        side: Side,
        round: usize,
    ) -> Result<Vec<f64>> {
        let edition = self.editions;
        self.editions += WRITES + 1;
        if operation == Operation::Flush {
            // Each by itself, so that it finds the pages in its page cache.
            match side {
                Side::ByHand => self.by_hand.store_old(round)?,
                _ => self.ours.migrations.store_old(round).await?,
            }
        }
        if operation.writes() {
            self.by_hand.empty_log()?;
        }
        match side {
            Side::Ours => self.ours.turn(operation, round, edition).await,
            Side::ByHand => self.by_hand.turn(operation, round, edition),
            Side::ByHandRaw => self.by_hand.raw_turn(operation, round),
            Side::Plain => self.ours.migrations.turn(operation, round, false).await,
        }
    }
}
