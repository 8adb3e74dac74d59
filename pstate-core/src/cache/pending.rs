//! Loads and writes under way, and the resolved values that documents are part of.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::flight::Flight;
use super::key::CacheKey;
use super::resolved::Resolved;
use crate::runtime::RandomState;
use crate::storage::ChangedTo;

/// Loads and writes of one key that are under way.
#[derive(Default)]
pub(super) struct Pending {
    /// The load that readers may join, and the key's place in it. Never set while `writers > 0`.
    pub(super) flight: Option<(Arc<Flight>, usize)>,
    /// How many writes have begun and not settled.
    pub(super) writers: usize,
    /// Whether two of those were under way at the same time.
    pub(super) overlapped: bool,
}

/// A part of the keys, behind one lock.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) pending: HashMap<CacheKey, Pending, RandomState>,
    /// The resolved values that a document is part of.
    pub(super) dependents: HashMap<CacheKey, Vec<Weak<Resolved>>, RandomState>,
}

impl Shard {
    /// Whether a write of the key is under way.
    pub(super) fn is_written(&self, key: &CacheKey) -> bool {
        self.pending.get(key).is_some_and(|pending| pending.writers > 0)
    }

    /// Notes that a document is part of a resolved value.
    pub(super) fn add_dependent(&mut self, key: &CacheKey, resolved: &Arc<Resolved>) {
        self.dependents.entry(key.clone()).or_default().push(Arc::downgrade(resolved));
    }

    /// Invalidates the resolved values that hold another revision of a document than is stored now.
    pub(super) fn invalidate_dependents(&mut self, key: &CacheKey, now: ChangedTo) {
        self.retain_dependents(key, |resolved| {
            let valid = resolved.has(key, now);
            if !valid {
                resolved.invalidate();
            }
            valid
        });
    }

    /// Forgets the resolved values that are gone.
    pub(super) fn forget_unused(&mut self, key: &CacheKey) {
        self.retain_dependents(key, |_| true);
    }

    fn retain_dependents(&mut self, key: &CacheKey, retain: impl Fn(&Resolved) -> bool) {
        let Some(dependents) = self.dependents.get_mut(key) else { return };
        dependents.retain(|dependent| dependent.upgrade().is_some_and(|it| retain(&it)));
        if dependents.is_empty() {
            self.dependents.remove(key);
        }
    }
}
