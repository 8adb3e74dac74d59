//! Change feeds, as a cache uses them.

use std::pin::pin;

use futures_util::future::join_all;
use pstate_core::{Expect, Write};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::context::Context;
use crate::conformance::follower::{Follower, KEYS, SPACES};
use crate::conformance::poll::MANY_POLLS;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;

cases! { "extensions";
    change_feed [Changes Simple]: "The next call of every subscription reports what was written, and what it reports can be read.",
    change_feed_beside [Changes Handle] (Durability): "It also reports what other handles to the same store have written.",
    change_feed_cancelled [Changes Overlap]: "A call for the changes that is dropped loses nothing.",
}

async fn change_feed(context: &Context) -> CaseResult {
    let store = context.open().await?;
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
    check_all(&mut followers, "after a put of the same value as before").await?;
    red.put("card:1", "three").await?;
    red.delete("card:2").await?;
    blue.put("card:2", "three").await?;
    red.write_one(put_if("card:1", "lost", Expect::Revision(stale))).await?;
    red.write_one(put_if("card:2", "new", Expect::Absent)).await?;
    check_all(&mut followers, "after several writes").await?;
    let mut batch = vec![put("deck:1", "batch"), Write::delete(key("card:2"))];
    batch.truncate(store.up_to_max_batch(2));
    blue.write(&blue.widest_batch(batch)).await?;
    check_all(&mut followers, "after a batch").await?;
    let [one, _] = followers;
    let mut followers = [one, Follower::new("a late follower", &store).await?];
    red.put("card:1", "late").await?;
    check_all(&mut followers, "after a put with a late follower").await?;
    drop(followers);
    reported_once_readable(&store, &store).await?;
    reported_under_load(&store, &store).await
}

async fn check_all(followers: &mut [Follower], after: &str) -> CaseResult {
    for follower in followers {
        follower.check(after).await?;
    }
    Ok(())
}

/// Asks for the changes between any two polls of a write.
async fn reported_once_readable(store: &Store, writer: &Store) -> CaseResult {
    let mut follower = Follower::new("a follower during writes", store).await?;
    let red = writer.space("red");
    for round in 0..20 {
        let write = put("card:1", &format!("round {round}"));
        let mut writing = pin!(red.write_one(write));
        follower.follow_during(writing.as_mut()).await??;
        follower.check("after a put").await?;
    }
    Ok(())
}

async fn reported_under_load(store: &Store, beside: &Store) -> CaseResult {
    let mut follower = Follower::new("a follower under load", store).await?;
    let writers = (0..4).map(|writer| {
        let store = beside.space(SPACES[writer % 2]);
        tokio::spawn(async move {
            for n in 0..30 {
                let name = KEYS[n % KEYS.len()];
                if n % 7 == 6 {
                    store.delete(name).await?;
                } else {
                    store.put(name, &format!("{n} by {writer}")).await?;
                }
            }
            Ok::<_, CaseError>(())
        })
    });
    let mut writing = pin!(join_all(writers));
    for done in follower.follow_during(writing.as_mut()).await? {
        done??;
    }
    follower.check("after many concurrent writes").await
}

async fn change_feed_beside(context: &Context) -> CaseResult {
    let one = context.open().await?;
    let two = context.open_second_handle().await?;
    let mut followers = [
        Follower::new("the first handle", &one).await?,
        Follower::new("the second handle", &two).await?,
    ];
    for round in 0..12 {
        let (writer, name) = if round % 2 == 0 { (&one, "first") } else { (&two, "second") };
        let (red, blue) = (writer.space("red"), writer.space("blue"));
        red.put("card:1", &format!("round {round}")).await?;
        check_all(&mut followers, &format!("after a put by the {name}")).await?;
        // Both handles write before any follower asks.
        one.space("red").put("card:2", &format!("round {round}")).await?;
        two.space("red").put("deck:1", &format!("round {round}")).await?;
        blue.put("card:1", &format!("round {round}")).await?;
        check_all(&mut followers, &format!("after puts by both, the last by the {name}")).await?;
        red.delete("card:1").await?;
        check_all(&mut followers, &format!("after a delete by the {name}")).await?;
    }
    reported_once_readable(&one, &two).await?;
    reported_under_load(&one, &two).await?;
    let [first, mut second] = followers;
    drop(first);
    one.space("red").put("card:1", "last").await?;
    one.close().await?;
    second.check("after a put by the first handle, which was then closed").await?;
    two.space("red").put("card:1", "alone").await?;
    second.check("after a put with the first handle closed").await
}

async fn change_feed_cancelled(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let mut follower = Follower::new("a follower that dropped a call", &store).await?;
    // A second handle writes as well, if the store supports one.
    let other = context.second_handle_if_any().await?;
    let writers = [Some(&store), other.as_ref()];
    for round in 0..2 * MANY_POLLS {
        let writer = writers[round % 2].unwrap_or(&store).space(SPACES[round % 3 % 2]);
        let name = KEYS[round % KEYS.len()];
        if round % 5 == 4 {
            writer.delete(name).await?;
        } else {
            writer.put(name, &format!("round {round}")).await?;
        }
        let polls = round / 2 % MANY_POLLS;
        follower.follow_with_polls(polls).await?;
        follower.check(&format!("after a call that was polled {polls} times")).await?;
    }
    Ok(())
}
