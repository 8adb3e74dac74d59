//! Loads and writes under way, and what was made from documents.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::counters::TypeIndex;
use super::flight::Flight;
use super::key::CacheKey;
use crate::runtime::RandomState;
use crate::storage::ChangedTo;

/// Loads and writes of one key that are under way.
#[derive(Default)]
pub(super) struct Pending {
    /// The load that readers may join. Never set while `writers > 0`.
    pub(super) flight: Option<Registered>,
    /// How many writes have begun and not settled.
    pub(super) writers: usize,
    /// Whether two of those were under way at the same time.
    pub(super) overlapped: bool,
}

/// A flight that is registered for a key.
pub(super) struct Registered {
    pub(super) flight: Arc<Flight>,
    /// The key's place in it.
    pub(super) at: usize,
    /// Where the key's type is counted, so that the end of the load need not look that up again.
    pub(super) counted: TypeIndex,
}

/// What was made from what is stored under several keys, and becomes invalid with a change of one.
pub(super) trait KeyDependent: Send + Sync {
    /// Whether it was made of what is stored now under a key.
    fn has(&self, key: &CacheKey, now: ChangedTo) -> bool;

    fn invalidate(&self);
}

/// A part of the keys, behind one lock.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) pending: HashMap<CacheKey, Pending, RandomState>,
    /// What was made from what is stored under a key.
    pub(super) dependents: HashMap<CacheKey, Vec<Weak<dyn KeyDependent>>, RandomState>,
}

impl Shard {
    /// Whether a write of the key is under way.
    pub(super) fn is_written(&self, key: &CacheKey) -> bool {
        self.pending.get(key).is_some_and(|pending| pending.writers > 0)
    }

    /// Notes that something is made from what is stored under a key.
    pub(super) fn add_dependent(&mut self, key: &CacheKey, dependent: Weak<dyn KeyDependent>) {
        self.dependents.entry(key.clone()).or_default().push(dependent);
    }

    /// Invalidates what was made from something else than is stored now under a key.
    pub(super) fn invalidate_dependents(&mut self, key: &CacheKey, now: ChangedTo) {
        self.retain_dependents(key, |dependent| {
            let valid = dependent.has(key, now);
            if !valid {
                dependent.invalidate();
            }
            valid
        });
    }

    /// Forgets the dependents that are gone.
    pub(super) fn forget_unused(&mut self, key: &CacheKey) {
        self.retain_dependents(key, |_| true);
    }

    fn retain_dependents(&mut self, key: &CacheKey, retain: impl Fn(&dyn KeyDependent) -> bool) {
        let Some(dependents) = self.dependents.get_mut(key) else { return };
        dependents.retain(|dependent| dependent.upgrade().is_some_and(|it| retain(&*it)));
        if dependents.is_empty() {
            self.dependents.remove(key);
        }
    }
}
