//! Comparing two stores, side by side.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};

use super::digest::Digest;
use super::pages::{PageLen, bytes_of, page_after};
use super::progress::{CopyPhase, CopyProgress};
use super::report::{
    CopyDifference, CopyDifferenceKind, CopyFailure, CopyVerification, SpaceVerification,
};
use super::settings::Settings;
use super::stores::{Stores, check_named};
use crate::background::driver::{Ended, JobDriver};
use crate::model::{Error, Key, Record, Space};
use crate::runtime::Instant;
use crate::storage::Adapter;

/// Compares what is in the chosen spaces of both stores.
pub(super) async fn verify(
    driver: &mut JobDriver<CopyProgress>,
    stores: &Stores,
    settings: &Settings,
) -> Result<CopyVerification, Ended> {
    let started = Instant::now();
    driver.publish(|progress| progress.phase = CopyPhase::Verifying);
    driver.restart_rate();
    let mut found = CopyVerification::default();
    let (from, to) = stores.spaces(driver, settings).await?;
    check_named(settings, &[&from, &to], "neither store holds")?;
    for space in from.into_iter().chain(to).collect::<BTreeSet<_>>() {
        let digests = compare(driver, stores, settings, &space, &mut found).await?;
        found.spaces.insert(space, digests);
    }
    found.duration = started.elapsed();
    Ok(found)
}

async fn compare(
    driver: &mut JobDriver<CopyProgress>,
    stores: &Stores,
    settings: &Settings,
    space: &Space,
    found: &mut CopyVerification,
) -> Result<SpaceVerification, Ended> {
    let mut from = Side::new(&*stores.from, space, settings, true);
    let mut to = Side::new(&*stores.to, space, settings, false);
    loop {
        from.fill(driver).await?;
        to.fill(driver).await?;
        for error in from.unreadable.drain(..).chain(to.unreadable.drain(..)) {
            found.unreadable += 1;
            if found.failures.len() < settings.keep_failures {
                found.failures.push(CopyFailure::new(space, &error));
            }
        }
        // One of them is empty only if there is nothing more in that store.
        let first = match (from.records.front(), to.records.front()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((from, _)), Some((to, _))) => from.cmp(to),
        };
        let from = if first.is_le() { from.take() } else { None };
        let to = if first.is_ge() { to.take() } else { None };
        let (key, kind) = match (from, to) {
            (Some((_, from)), Some((_, to))) if from.bytes == to.bytes => continue,
            (Some((key, _)), Some(_)) => (key, CopyDifferenceKind::Different),
            (Some((key, _)), None) => (key, CopyDifferenceKind::Missing),
            (None, Some((key, _))) => (key, CopyDifferenceKind::Extra),
            (None, None) => continue,
        };
        let difference = CopyDifference { space: space.clone(), key, kind };
        found.found(difference, settings.keep_failures);
    }
    Ok(SpaceVerification { from: from.digest.finish(), to: to.digest.finish() })
}

/// What one of the stores has in a space, read page by page.
struct Side<'a> {
    adapter: &'a dyn Adapter,
    space: &'a Space,
    page_len: PageLen,
    /// Whether its pages count for the rate and for progress: those of one side do.
    counts: bool,
    after: Option<Key>,
    ended: bool,
    /// What was read and not taken yet.
    records: VecDeque<(Key, Record)>,
    unreadable: Vec<Error>,
    /// Of what was taken.
    digest: Digest,
}

impl<'a> Side<'a> {
    fn new(adapter: &'a dyn Adapter, space: &'a Space, settings: &Settings, counts: bool) -> Self {
        Self {
            adapter,
            space,
            page_len: PageLen::new(settings),
            counts,
            after: None,
            ended: false,
            records: VecDeque::new(),
            unreadable: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// Reads on, if everything was taken.
    async fn fill(&mut self, driver: &mut JobDriver<CopyProgress>) -> Result<(), Ended> {
        while self.records.is_empty() && !self.ended {
            let mut limit = self.page_len.next();
            if self.counts {
                limit = driver.begin_page(limit).await?;
            } else {
                driver.check()?;
            }
            let scan = page_after(self.after.take(), limit);
            let page = driver.attempt(|| self.adapter.scan(self.space, &scan)).await?;
            let documents = page.records.len();
            self.page_len.learn(documents, bytes_of(&page));
            if self.counts {
                let (space, position) = (self.space.clone(), page.records.last());
                let position = position.map(|(key, _)| key.clone());
                driver.end_page(documents, |progress| {
                    progress.verified += documents as u64;
                    (progress.space, progress.position) = (Some(space), position);
                });
            }
            self.ended = page.next.is_none();
            self.after = page.next;
            self.records = page.records.into();
            self.unreadable.extend(page.unreadable);
        }
        Ok(())
    }

    fn take(&mut self) -> Option<(Key, Record)> {
        let (key, record) = self.records.pop_front()?;
        self.digest.add(&key, &record.bytes);
        Some((key, record))
    }
}
