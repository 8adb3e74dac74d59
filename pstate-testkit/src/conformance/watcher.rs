use std::collections::BTreeMap;

use futures_util::poll;
use pstate_core::{ChangeSubscription, ChangedTo, Changes, Key, Revision, Space};
use tokio::task::yield_now;

use super::case_error::{CaseError, CaseResult};
use super::check::ensure_eq;
use super::store::Store;
use super::world::World;

/// A cache of revisions that follows a change feed: what the feed does not report stays as it was,
/// and then differs from the [`World`].
pub(super) struct Watcher {
    subscription: Box<dyn ChangeSubscription>,
    cached: BTreeMap<(Space, Key), ChangedTo>,
    /// How often it was compared.
    checks: usize,
}

impl Watcher {
    /// Subscribes when the store is as the world says.
    pub(super) async fn new(store: &Store, world: &World) -> CaseResult<Self> {
        let Some(feed) = store.adapter.extensions().change_feed else {
            return Err(CaseError::ignored("it has no change feed"));
        };
        let subscription = feed.subscribe().await?;
        let mut watcher = Self { subscription, cached: BTreeMap::new(), checks: 0 };
        watcher.read_all(world);
        Ok(watcher)
    }

    fn read_all(&mut self, world: &World) {
        for (space, key, held) in world.places() {
            let now = state(held.map(|held| held.revision));
            self.cached.insert((space.clone(), key.clone()), now);
        }
    }

    /// Asks for the changes, and compares what is cached then with the world.
    pub(super) async fn check(&mut self, world: &World, after: &str) -> CaseResult {
        // A wait that is dropped, however far it has come, takes nothing away.
        self.checks += 1;
        {
            let mut wait = self.subscription.wait();
            for _ in 0..self.checks % 4 {
                if poll!(wait.as_mut()).is_ready() {
                    break;
                }
                yield_now().await;
            }
        }
        match self.subscription.changes().await? {
            Changes::Records(records) => {
                for changed in records {
                    let held = world.held(&changed.space, &changed.key);
                    let now = match changed.now {
                        // The cache reads it.
                        ChangedTo::Unknown => state(held.map(|held| held.revision)),
                        now => now,
                    };
                    self.cached.insert((changed.space, changed.key), now);
                }
            }
            // The cache reads all of it, whatever it was.
            _ => self.read_all(world),
        }
        for (space, key, held) in world.places() {
            let cached = self.cached.get(&(space.clone(), key.clone()));
            let what = format!("{key} in {space}, as the change feed reports it, {after}");
            let now = state(held.map(|held| held.revision));
            ensure_eq(&what, &now, cached.unwrap_or(&ChangedTo::Absent))?;
        }
        Ok(())
    }
}

fn state(revision: Option<Revision>) -> ChangedTo {
    revision.map_or(ChangedTo::Absent, ChangedTo::Revision)
}
