//! Counts and the change feed of a handle that is wrong.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use async_trait::async_trait;
use pstate_core::{
    Adapter, ChangeFeed, ChangeSubscription, ChangedRecord, ChangedTo, Changes, CountVersions,
    Result, Scan, Space, VersionCounts,
};

use super::{CrossedAdapter, Memory};
use crate::crossing::{Call, Crossed, Deed};

#[async_trait]
impl CountVersions for CrossedAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        self.check_open(Call::CountVersions)?;
        if self.works_closed(Call::CountVersions) {
            return Ok(VersionCounts::default());
        }
        self.do_delayed().await?;
        let everything = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MAX };
        let records = self.inner.scan(space, &everything).await?.records;
        let mut counts = VersionCounts::default();
        match self.crossed.deed {
            Deed::CountsTypes(count) => {
                let mut types = BTreeSet::new();
                for (key, record) in records {
                    types.insert(key.entity_type().to_owned());
                    if types.len() <= count {
                        counts.add(key.as_str(), &record.bytes);
                    }
                }
            }
            Deed::CountsIn16Bits => {
                for (key, record) in records {
                    let mut document: serde_json::Value =
                        serde_json::from_slice(&record.bytes).unwrap_or_default();
                    if let Some(version) = document.get("$v").and_then(serde_json::Value::as_u64) {
                        document["$v"] = (version & 0xffff).into();
                    }
                    counts.add(key.as_str(), document.to_string().as_bytes());
                }
            }
            Deed::CountsFromMemory => {
                let mut counted = self.counted.lock();
                let all = counted.entry(space.clone()).or_insert_with(|| {
                    records.into_iter().map(|(key, record)| (key, record.bytes)).collect()
                });
                for (key, bytes) in all.iter() {
                    counts.add(key.as_str(), bytes);
                }
            }
            Deed::CountsFromOpening if self.is_reopened => {}
            _ => records.iter().for_each(|(key, record)| counts.add(key.as_str(), &record.bytes)),
        }
        Ok(counts)
    }
}

#[async_trait]
impl ChangeFeed for CrossedAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.check_open(Call::Subscribe)?;
        let subscription = if self.works_closed(Call::Subscribe) {
            None
        } else {
            Some(self.inner.subscribe().await?)
        };
        self.of_process.handle_closed.store(false, SeqCst);
        let (crossed, of_process) = (self.crossed, self.of_process.clone());
        Ok(Box::new(CrossedSubscription { subscription, crossed, of_process }))
    }
}

#[derive(Debug)]
struct CrossedSubscription {
    subscription: Option<Box<dyn ChangeSubscription>>,
    crossed: Crossed,
    of_process: Arc<Memory>,
}

#[async_trait]
impl ChangeSubscription for CrossedSubscription {
    async fn changes(&mut self) -> Result<Changes> {
        let Some(subscription) = &mut self.subscription else {
            return Ok(Changes::Records(Vec::new()));
        };
        let Changes::Records(mut records) = subscription.changes().await? else {
            return Ok(Changes::Everything);
        };
        match self.crossed.deed {
            Deed::Hides => {
                let hidden = self.of_process.hidden.lock();
                let is_shown = |changed: &ChangedRecord| {
                    !hidden.contains(&(changed.space.clone(), changed.key.clone()))
                };
                records.retain(is_shown);
            }
            Deed::Reports(count) => drop(records.drain(..records.len().saturating_sub(count))),
            Deed::ReportsOwnProcess => {
                let own = self.of_process.own.lock();
                records.retain(|changed| own.contains(changed));
            }
            Deed::EndsWithAHandle if self.of_process.handle_closed.load(SeqCst) => records.clear(),
            _ => {}
        }
        // Revisions are not those of the store, so what is there now has to be read.
        for changed in &mut records {
            if changed.now != ChangedTo::Absent {
                changed.now = ChangedTo::Unknown;
            }
        }
        Ok(Changes::Records(records))
    }

    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}
