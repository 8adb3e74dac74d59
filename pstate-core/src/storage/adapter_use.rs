//! How many handles use an adapter.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, const_mutex};

use super::adapter::Adapter;

/// The adapters that are used, by their addresses. A program hands one adapter to several builders,
/// which have nothing else in common.
static USED: Mutex<BTreeMap<usize, usize>> = const_mutex(BTreeMap::new());

/// The use of an adapter by a builder, and then by its handle with all clones: the last one closes
/// the adapter.
pub(crate) struct AdapterUse {
    /// Kept, so that no other adapter gets its address.
    adapter: Arc<dyn Adapter>,
    /// Whether it was the last use, once it has ended.
    was_last: Mutex<Option<bool>>,
}

impl AdapterUse {
    pub(crate) fn begin(adapter: Arc<dyn Adapter>) -> Self {
        *USED.lock().entry(address(&adapter)).or_default() += 1;
        Self { adapter, was_last: const_mutex(None) }
    }

    pub(crate) fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.adapter
    }

    /// Ends the use, unless it has ended, and says whether it was the last one.
    pub(crate) fn end(&self) -> bool {
        *self.was_last.lock().get_or_insert_with(|| {
            let (mut used, address) = (USED.lock(), address(&self.adapter));
            let left = used.remove(&address).map_or(0, |uses| uses - 1);
            if left > 0 {
                used.insert(address, left);
            }
            left == 0
        })
    }
}

impl Drop for AdapterUse {
    fn drop(&mut self) {
        self.end();
    }
}

fn address(adapter: &Arc<dyn Adapter>) -> usize {
    Arc::as_ptr(adapter).cast::<()>().addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryAdapter;

    #[test]
    fn the_last_use_of_each_adapter_is_the_last_once_and_for_all() {
        let adapter = || -> Arc<dyn Adapter> { Arc::new(MemoryAdapter::new()) };
        let (shared, other) = (adapter(), adapter());
        let [first, second, third] = [(); 3].map(|()| AdapterUse::begin(shared.clone()));
        assert!(AdapterUse::begin(other).end());
        assert!(!first.end());
        assert!(!first.end());
        drop(second);
        assert!(third.end());
        drop(first);
        assert!(third.end());
        assert!(AdapterUse::begin(shared.clone()).end());
        assert!(!USED.lock().contains_key(&address(&shared)));
    }
}
