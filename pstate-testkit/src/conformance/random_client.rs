use fastrand::Rng;
use pstate_core::{Batch, Expect, Key, Outcome, Revision, Write};

use super::case_error::CaseResult;
use super::poll::poll_at_most;
use super::store::Store;

/// A client that reads and writes a few keys at random, among other clients.
pub(super) struct RandomClient {
    number: u64,
    store: Store,
    keys: Vec<Key>,
    /// The revision of each key that this client has last observed.
    seen: Vec<Option<Revision>>,
    random: Rng,
    /// The number of values written. A value is never written twice.
    written: usize,
}

impl RandomClient {
    pub(super) fn new(number: u64, store: Store, keys: Vec<Key>, seed: u64) -> Self {
        Self {
            seen: vec![None; keys.len()],
            number,
            store,
            keys,
            random: Rng::with_seed(seed),
            written: 0,
        }
    }

    pub(super) async fn run(mut self, calls: usize) -> CaseResult {
        for _ in 0..calls {
            let chosen = self.choose_keys();
            match self.random.u8(..10) {
                0..4 => self.read(&chosen).await?,
                4..9 => self.write(&chosen).await?,
                _ => drop(self.store.scan("card:", 2).await?),
            }
        }
        Ok(())
    }

    /// The indices of the keys of the next call.
    fn choose_keys(&mut self) -> Vec<usize> {
        let mut chosen: Vec<_> = (0..self.keys.len()).collect();
        self.random.shuffle(&mut chosen);
        chosen.truncate(self.random.usize(1..=self.store.up_to_max_batch(3)));
        chosen
    }

    async fn read(&mut self, chosen: &[usize]) -> CaseResult {
        let keys: Vec<_> = chosen.iter().map(|&index| self.keys[index].clone()).collect();
        let records = self.store.records(&keys).await?;
        for (&index, record) in chosen.iter().zip(records) {
            self.seen[index] = record.map(|record| record.revision);
        }
        Ok(())
    }

    async fn write(&mut self, chosen: &[usize]) -> CaseResult {
        let atomic = self.random.bool() && (chosen.len() == 1 || self.store.has_atomic_batches());
        let writes = chosen.iter().map(|&index| self.next_write(index)).collect();
        let batch = if atomic { Batch::atomic(writes) } else { Batch::each(writes) };
        if self.random.u8(..8) == 0 {
            let polls = self.random.usize(..4);
            let dropped = self.store.adapter.write(&self.store.space, &batch);
            poll_at_most(dropped, polls).await.transpose()?;
            return Ok(());
        }
        let outcomes = self.store.write(&batch).await?;
        for (&index, outcome) in chosen.iter().zip(outcomes) {
            match outcome {
                Outcome::Stored(revision) => self.seen[index] = Some(revision),
                Outcome::Deleted => self.seen[index] = None,
                _ => {}
            }
        }
        Ok(())
    }

    fn next_write(&mut self, index: usize) -> Write {
        let key = self.keys[index].clone();
        let write = if self.random.u8(..5) == 0 {
            Write::delete(key)
        } else {
            self.written += 1;
            Write::put(key, format!("{}.{}", self.number, self.written).into_bytes())
        };
        // Half of the writes expect the last observed revision, which is often still current.
        match (self.random.bool(), self.seen[index]) {
            (true, _) => write,
            (false, None) => write.expecting(Expect::Absent),
            (false, Some(revision)) => write.expecting(Expect::Revision(revision)),
        }
    }
}
