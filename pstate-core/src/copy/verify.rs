//! Comparing two stores, side by side.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};

use super::Settings;
use super::digest::Digest;
use super::pages::{PageLen, bytes_of, page_after};
use super::progress::{
    CopyDifference, CopyDifferenceKind, CopyFailure, CopyState, CopyVerification, SpaceVerification,
};
use super::steering::{Ended, Steering};
use super::task::Stores;
use crate::adapter::Adapter;
use crate::error::Error;
use crate::key::Key;
use crate::record::Record;
use crate::runtime::Instant;
use crate::space::Space;

/// Compares what is in the chosen spaces of both stores.
pub(super) async fn verify(
    steering: &mut Steering,
    stores: &Stores,
    settings: &Settings,
) -> Result<CopyVerification, Ended> {
    let started = Instant::now();
    steering.begin(CopyState::Verifying);
    let mut found = CopyVerification::default();
    let (from, to) = stores.spaces(steering, settings).await?;
    for space in from.into_iter().chain(to).collect::<BTreeSet<_>>() {
        let digests = compare(steering, stores, settings, &space, &mut found).await?;
        found.spaces.insert(space, digests);
    }
    found.duration = started.elapsed();
    Ok(found)
}

async fn compare(
    steering: &mut Steering,
    stores: &Stores,
    settings: &Settings,
    space: &Space,
    found: &mut CopyVerification,
) -> Result<SpaceVerification, Ended> {
    let mut from = Side::new(&*stores.from, space, settings, true);
    let mut to = Side::new(&*stores.to, space, settings, false);
    loop {
        from.fill(steering).await?;
        to.fill(steering).await?;
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
    async fn fill(&mut self, steering: &mut Steering) -> Result<(), Ended> {
        while self.records.is_empty() && !self.ended {
            let mut limit = self.page_len.next();
            if self.counts {
                limit = steering.begin_page(limit).await?;
            } else {
                steering.wanted()?;
            }
            let scan = page_after(self.after.take(), limit);
            let page = steering.attempt(|| self.adapter.scan(self.space, &scan)).await?;
            let documents = page.records.len();
            self.page_len.learn(documents, bytes_of(&page));
            if self.counts {
                let (space, position) = (self.space.clone(), page.records.last());
                let position = position.map(|(key, _)| key.clone());
                steering.end_page(documents, |progress| {
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
