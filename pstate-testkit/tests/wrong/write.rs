//! Writes, and their faults.

use std::mem;

use pstate_core::{
    Atomicity, Batch, BatchMode, Change, Error, ErrorKind, Expect, Outcome, Result, Space, Write,
};

use crate::adapter::LogAdapter;
use crate::fault::Fault;

impl LogAdapter {
    pub(crate) async fn write_batch(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.check_open()?;
        if !self.is(Fault::AcceptsDuplicates) {
            batch.check_distinct()?;
        }
        self.check_limits(batch)?;
        let shared = &self.shared;
        let too_long: Vec<_> = batch.writes.iter().map(|write| self.too_long(write)).collect();
        for write in &batch.writes {
            self.cache.lock().remove(&(space.clone(), write.key.clone()));
        }
        match shared.fault {
            Some(Fault::TruncatesBatches) => {
                let mut kept = batch.clone();
                kept.writes.truncate(4);
                shared.write(space, &kept, &[])
            }
            Some(Fault::ReportsTooEarly) => {
                shared.publish(space, &batch.writes, &[]);
                tokio::task::yield_now().await;
                shared.write(space, batch, &too_long)
            }
            Some(Fault::ReportsOwnWritesOnly) => {
                let outcomes = shared.write(space, batch, &too_long)?;
                self.own_writes.publish(space, &batch.writes, &outcomes);
                Ok(outcomes)
            }
            Some(Fault::HalvesWhenCancelled) => {
                let mut outcomes = Vec::new();
                for write in &batch.writes {
                    outcomes.extend(shared.write(space, &Batch::each(vec![write.clone()]), &[])?);
                    tokio::task::yield_now().await;
                }
                Ok(outcomes)
            }
            Some(Fault::LosesWhenCancelled) => {
                let taken = mem::take(&mut shared.state.lock().records);
                tokio::task::yield_now().await;
                shared.state.lock().records = taken;
                shared.write(space, batch, &[])
            }
            Some(Fault::LocksWhileUnpolled) => {
                let lock =
                    shared.locks.lock().entry(batch.writes[0].key.clone()).or_default().clone();
                let _guard = lock.lock_owned().await;
                tokio::task::yield_now().await;
                shared.write(space, batch, &[])
            }
            Some(Fault::LosesUpdates | Fault::LocksPerHandle) => {
                let lock = self.own_lock.lock();
                let _guard = if self.is(Fault::LocksPerHandle) { Some(lock.await) } else { None };
                let holds = {
                    let state = shared.state.lock();
                    batch.writes.iter().all(|write| shared.holds(&state, space, write))
                };
                tokio::task::yield_now().await;
                if !holds {
                    return shared.write(space, batch, &[]);
                }
                let mut swapped = batch.clone();
                for write in &mut swapped.writes {
                    write.expect = Expect::Any;
                }
                shared.write(space, &swapped, &[])
            }
            Some(Fault::RetriesBlindly) => {
                let outcomes = shared.write(space, batch, &[])?;
                let (shared, space, again) = (shared.clone(), space.clone(), batch.clone());
                if batch.writes.iter().all(|write| write.expect == Expect::Any) {
                    tokio::spawn(async move {
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        shared.write(&space, &again, &[])
                    });
                }
                Ok(outcomes)
            }
            Some(Fault::Deadlocks) => {
                let mut guards = Vec::new();
                for write in &batch.writes {
                    let lock = shared.locks.lock().entry(write.key.clone()).or_default().clone();
                    guards.push(lock.lock_owned().await);
                    tokio::task::yield_now().await;
                }
                shared.write(space, batch, &[])
            }
            _ => shared.write(space, batch, &too_long),
        }
    }

    fn check_limits(&self, batch: &Batch) -> Result<()> {
        if let Some(max) = self.capabilities.max_batch
            && batch.writes.len() > max.get()
            && !self.is(Fault::TruncatesBatches)
        {
            return Err(Error::new(ErrorKind::Unsupported, format!("at most {max} writes")));
        }
        if batch.mode == BatchMode::Atomic {
            let wide = self.capabilities.atomicity == Atomicity::Key && batch.writes.len() > 1;
            if wide && !self.is(Fault::AcceptsAnyAtomicBatch) {
                return Err(Error::new(ErrorKind::Unsupported, "one key at a time"));
            }
            if let Some(error) = batch.writes.iter().find_map(|write| self.too_long(write)) {
                return Err(error);
            }
        }
        Ok(())
    }

    fn too_long(&self, write: &Write) -> Option<Error> {
        let max = self.capabilities.max_value_len?;
        let Change::Put(bytes) = &write.change else { return None };
        if bytes.len() <= max || self.is(Fault::CutsLongValues) {
            return None;
        }
        let quoted = if self.is(Fault::QuotesValues) {
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            String::new()
        };
        let message = format!("at most {max} bytes {quoted}");
        Some(Error::new(ErrorKind::InvalidInput, message).at_key(&write.key))
    }
}
