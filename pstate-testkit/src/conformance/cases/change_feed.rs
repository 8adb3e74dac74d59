//! What an adapter tells of changes, as a cache uses it.

use std::collections::btree_map::{BTreeMap, Entry};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_util::future::join_all;
use futures_util::poll;
use pstate_core::{
    ChangeSubscription, ChangedRecord, ChangedTo, Changes, Durability, Expect, Key, Revision,
    Space, Write,
};
use tokio::task::yield_now;

use super::cancel::{POLLS, poll_at_most};
use crate::conformance::case::{Stop, cases, same};
use crate::conformance::test::{Store, Test, key, put, put_if};
use crate::operation::Value;

cases! { "extensions";
    change_feed: "What was written is told to every subscription by its next call, and what is told can be read.",
    change_feed_beside(Durability): "What other handles to the same store have written is told likewise.",
    change_feed_cancelled: "A call for the changes that is dropped loses nothing.",
}

const KEYS: [&str; 3] = ["card:1", "card:2", "deck:1"];
const SPACES: [&str; 2] = ["red", "blue"];

/// A record as it was read.
type Seen = Option<(Revision, Value)>;

/// A cache that reads what it was told has changed, and nothing else.
struct Follower {
    name: &'static str,
    store: Store,
    subscription: Box<dyn ChangeSubscription>,
    cached: BTreeMap<(Space, Key), Seen>,
}

impl Follower {
    async fn new(name: &'static str, store: &Store) -> Result<Self, Stop> {
        let Some(feed) = store.adapter.extensions().change_feed else {
            return Err(Stop::Ignored("it does not tell what is changed".to_owned()));
        };
        let subscription = feed.subscribe().await?;
        let (store, cached) = (store.clone(), BTreeMap::new());
        let mut follower = Self { name, store, subscription, cached };
        follower.read().await?;
        Ok(follower)
    }

    /// Asks what has changed, and reads that again.
    async fn follow(&mut self) -> Result<Changes, Stop> {
        let changes = self.subscription.changes().await?;
        self.drop_changed(&changes);
        self.read().await?;
        Ok(changes)
    }

    /// Follows between any two steps of `work`.
    async fn follow_during<F: Future>(&mut self, mut work: Pin<&mut F>) -> Result<F::Output, Stop> {
        loop {
            if let Poll::Ready(done) = poll!(work.as_mut()) {
                return Ok(done);
            }
            self.follow().await?;
            yield_now().await;
        }
    }

    fn drop_changed(&mut self, changes: &Changes) {
        let Changes::Records(records) = changes else {
            self.cached.clear();
            return;
        };
        for ChangedRecord { space, key, now, .. } in records {
            let place = (space.clone(), key.clone());
            let cached = self.cached.get(&place).map(|cached| match cached {
                Some((revision, _)) => ChangedTo::Revision(*revision),
                None => ChangedTo::Absent,
            });
            if cached != Some(*now) {
                self.cached.remove(&place);
            }
        }
    }

    async fn read(&mut self) -> Result<(), Stop> {
        for (store, key) in self.places() {
            if let Entry::Vacant(place) = self.cached.entry((store.space.clone(), key.clone())) {
                place.insert(seen(&store, &key).await?);
            }
        }
        Ok(())
    }

    /// Follows, and checks that what is cached is what is stored. To be called while nothing is
    /// being written.
    async fn check(&mut self, after: &str) -> Result<(), Stop> {
        let changes = self.follow().await?;
        for (store, key) in self.places() {
            let stored = seen(&store, &key).await?;
            let (name, space) = (self.name, &store.space);
            let place = (space.clone(), key.clone());
            let told =
                |changed: &&ChangedRecord| changed.space == place.0 && changed.key == place.1;
            if let Changes::Records(records) = &changes
                && let Some(last) = records.iter().rfind(told)
                && last.now != ChangedTo::Unknown
            {
                let stored = stored.as_ref();
                let now = stored.map_or(ChangedTo::Absent, |(it, _)| ChangedTo::Revision(*it));
                let what = format!("what {name} was told of {key} in {space}, {after}");
                same(&what, &now, &last.now)?;
            }
            let cached = self.cached.get(&place).cloned().flatten();
            let what =
                format!("{key} in {space}, read by {name} when told of its last change, {after}");
            same(&what, &stored, &cached)?;
        }
        Ok(())
    }

    fn places(&self) -> Vec<(Store, Key)> {
        let in_space = |name| KEYS.map(|text| (self.store.space(name), key(text)));
        SPACES.into_iter().flat_map(in_space).collect()
    }
}

async fn seen(store: &Store, key: &Key) -> Result<Seen, Stop> {
    Ok(store.record(key).await?.map(|record| (record.revision, Value(record.bytes))))
}

async fn change_feed(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let (red, blue) = (store.space("red"), store.space("blue"));
    red.put("card:2", "before").await?;
    let mut followers =
        [Follower::new("one", &store).await?, Follower::new("another", &store).await?];
    check_all(&mut followers, "before anything was written").await?;
    red.put("card:1", "one").await?;
    check_all(&mut followers, "after a put").await?;
    let stale = red.put("card:1", "two").await?;
    check_all(&mut followers, "after an overwrite").await?;
    blue.put("card:1", "two").await?;
    check_all(&mut followers, "after a put in another space").await?;
    red.delete("card:1").await?;
    check_all(&mut followers, "after a delete").await?;
    red.put("card:1", "two").await?;
    check_all(&mut followers, "after a put of what was there before").await?;
    red.put("card:1", "three").await?;
    red.delete("card:2").await?;
    blue.put("card:2", "three").await?;
    red.write_one(put_if("card:1", "lost", Expect::Revision(stale))).await?;
    red.write_one(put_if("card:2", "new", Expect::Absent)).await?;
    check_all(&mut followers, "after several writes").await?;
    let mut batch = vec![put("deck:1", "batch"), Write::delete(key("card:2"))];
    batch.truncate(store.at_most(2));
    blue.write(&blue.widest(batch)).await?;
    check_all(&mut followers, "after a batch").await?;
    let [one, _] = followers;
    let mut followers = [one, Follower::new("a late one", &store).await?];
    red.put("card:1", "late").await?;
    check_all(&mut followers, "after a put that a late one is told, too").await?;
    drop(followers);
    told_when_it_can_be_read(&store).await?;
    told_under_load(&store).await
}

async fn check_all(followers: &mut [Follower], after: &str) -> Result<(), Stop> {
    for follower in followers {
        follower.check(after).await?;
    }
    Ok(())
}

/// Asks between any two steps of a write.
async fn told_when_it_can_be_read(store: &Store) -> Result<(), Stop> {
    let mut follower = Follower::new("one who asks while it is written", store).await?;
    let red = store.space("red");
    for round in 0..20 {
        let write = put("card:1", &format!("round {round}"));
        let mut writing = pin!(red.write_one(write));
        follower.follow_during(writing.as_mut()).await??;
        follower.check("after a put").await?;
    }
    Ok(())
}

async fn told_under_load(store: &Store) -> Result<(), Stop> {
    let mut follower = Follower::new("one who asks under load", store).await?;
    let writers = (0..4).map(|writer| {
        let store = store.space(SPACES[writer % 2]);
        tokio::spawn(async move {
            for n in 0..30 {
                let name = KEYS[n % KEYS.len()];
                if n % 7 == 6 {
                    store.delete(name).await?;
                } else {
                    store.put(name, &format!("{n} by {writer}")).await?;
                }
            }
            Ok::<_, Stop>(())
        })
    });
    let mut writing = pin!(join_all(writers));
    for done in follower.follow_during(writing.as_mut()).await? {
        done.map_err(|error| Stop::broken("no panic", error))??;
    }
    follower.check("after many writes at once").await
}

async fn change_feed_beside(test: &Test) -> Result<(), Stop> {
    let one = test.open().await?;
    let two = test.open_beside().await?;
    let mut followers = [
        Follower::new("the first handle", &one).await?,
        Follower::new("the second handle", &two).await?,
    ];
    for round in 0..12 {
        let (writer, name) = if round % 2 == 0 { (&one, "first") } else { (&two, "second") };
        let (red, blue) = (writer.space("red"), writer.space("blue"));
        red.put("card:1", &format!("round {round}")).await?;
        check_all(&mut followers, &format!("after a put by the {name}")).await?;
        // By both before anybody asks.
        one.space("red").put("card:2", &format!("round {round}")).await?;
        two.space("red").put("deck:1", &format!("round {round}")).await?;
        blue.put("card:1", &format!("round {round}")).await?;
        check_all(&mut followers, &format!("after puts by both, the last by the {name}")).await?;
        red.delete("card:1").await?;
        check_all(&mut followers, &format!("after a delete by the {name}")).await?;
    }
    let [first, mut second] = followers;
    drop(first);
    one.space("red").put("card:1", "last").await?;
    one.close().await?;
    second.check("after a put by the first, which was closed").await?;
    two.space("red").put("card:1", "alone").await?;
    second.check("after a put when the first was closed").await
}

async fn change_feed_cancelled(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let mut follower = Follower::new("one who dropped a call", &store).await?;
    // Where it is possible, another handle writes, too.
    let other = match store.capabilities().durability {
        Durability::None => None,
        _ => test.open_beside().await.ok(),
    };
    let writers = [Some(&store), other.as_ref()];
    for round in 0..2 * POLLS {
        let writer = writers[round % 2].unwrap_or(&store).space(SPACES[round % 3 % 2]);
        let name = KEYS[round % KEYS.len()];
        if round % 5 == 4 {
            writer.delete(name).await?;
        } else {
            writer.put(name, &format!("round {round}")).await?;
        }
        let polls = round / 2 % POLLS;
        if let Some(changes) = poll_at_most(follower.subscription.changes(), polls).await {
            follower.drop_changed(&changes?);
            follower.read().await?;
        }
        follower.check(&format!("after a call that was polled {polls} times")).await?;
    }
    Ok(())
}
