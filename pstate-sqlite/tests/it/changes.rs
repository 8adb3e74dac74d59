//! What the change feed reports.

use std::fs::OpenOptions;
use std::io::{Seek, Write as _};
use std::pin::pin;

use pstate_core::{
    Adapter, Batch, ChangeSubscription, ChangedRecord, ChangedTo, Changes, ErrorKind, Expect,
    Outcome, Revision, Space, Write,
};
use pstate_sqlite::{ReadMode, SqliteAdapter, SqliteConfig};

use crate::fixture::{Place, get, key, poll_once, put, put_write};

type Subscription = Box<dyn ChangeSubscription>;

async fn subscribe(store: &SqliteAdapter) -> Subscription {
    store.extensions().change_feed.unwrap().subscribe().await.unwrap()
}

async fn changes(subscription: &mut Subscription) -> Changes {
    subscription.changes().await.unwrap()
}

/// A put of ours, as it is to be told.
fn told(text: &str, bytes: &str) -> Changes {
    let revision = Revision::of_content(bytes.as_bytes());
    let changed = ChangedRecord::new(Space::default(), key(text), ChangedTo::Revision(revision));
    Changes::Records(vec![changed])
}

fn nothing() -> Changes {
    Changes::Records(Vec::new())
}

/// As another program would.
fn put_foreign(place: &Place, bytes: &str) {
    let sql = "INSERT INTO pstate (space, key, value) VALUES ('default', 'card:f', ?1)
               ON CONFLICT (space, key) DO UPDATE SET value = ?1";
    place.raw().execute(sql, [bytes]).unwrap();
}

#[tokio::test]
async fn our_own_writes_are_told_by_key_and_revision() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:before", "{}").await;
    let mut early = subscribe(&store).await;
    assert_eq!(changes(&mut early).await, nothing());
    let stored = Revision::of_content(b"{}");
    let mut expected = Vec::new();
    for n in 0..5 {
        let space: Space = format!("space-{n}").parse().unwrap();
        let writes = vec![put_write("card:1", "{}"), Write::delete(key("card:2"))];
        store.write(&space, &Batch::atomic(writes)).await.unwrap();
        expected.push(ChangedRecord::new(
            space.clone(),
            key("card:1"),
            ChangedTo::Revision(stored),
        ));
        expected.push(ChangedRecord::new(space, key("card:2"), ChangedTo::Absent));
    }
    assert_eq!(changes(&mut early).await, Changes::Records(expected));
    let mut late = subscribe(&store).await;
    put(&store, "card:1", "[]").await;
    for subscription in [&mut early, &mut late] {
        assert_eq!(changes(subscription).await, told("card:1", "[]"));
        assert_eq!(changes(subscription).await, nothing());
    }
}

#[tokio::test]
async fn a_conflict_is_no_change() {
    let place = Place::new();
    let store = place.open();
    let mut subscription = subscribe(&store).await;
    let stale = put_write("card:1", "{}").expecting(Expect::Revision(Revision::from_number(1)));
    let outcomes = store.write(&Space::default(), &Batch::each(vec![stale])).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Conflict]));
    assert_eq!(changes(&mut subscription).await, nothing());
}

#[tokio::test]
async fn what_others_write_is_told_as_everything() {
    for read_mode in [ReadMode::InPlace, ReadMode::Blocking] {
        let place = Place::new();
        let config = || SqliteConfig::default().read_mode(read_mode);
        let (store, other) = (place.open_with(config()), place.open_with(config()));
        let mut ours = subscribe(&store).await;
        let mut theirs = subscribe(&other).await;
        put_foreign(&place, "{}");
        assert_eq!(changes(&mut ours).await, Changes::Everything);
        assert_eq!(changes(&mut theirs).await, Changes::Everything);
        put(&other, "card:1", "{}").await;
        assert_eq!(changes(&mut ours).await, Changes::Everything);
        assert_eq!(changes(&mut theirs).await, told("card:1", "{}"));
        for subscription in [&mut ours, &mut theirs] {
            assert_eq!(changes(subscription).await, nothing());
        }
    }
}

#[tokio::test]
async fn our_own_writes_are_told_by_key_also_between_those_of_others() {
    let place = Place::new();
    let store = place.open();
    let mut subscription = subscribe(&store).await;
    for n in 0..20 {
        let bytes = n.to_string();
        put(&store, "card:1", &bytes).await;
        assert_eq!(changes(&mut subscription).await, told("card:1", &bytes));
        put_foreign(&place, &bytes);
        if n % 3 == 0 {
            // Ours on top of theirs does not hide it.
            put(&store, "card:2", &bytes).await;
        }
        assert_eq!(changes(&mut subscription).await, Changes::Everything);
        assert_eq!(changes(&mut subscription).await, nothing());
    }
}

#[tokio::test]
async fn what_others_do_without_writing_is_no_change() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    let mut subscription = subscribe(&store).await;
    let other = place.raw();
    let read = || other.query_row("SELECT count(*) FROM pstate", [], |row| row.get(0));
    assert_eq!(read(), Ok(1));
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM pstate; ROLLBACK").unwrap();
    drop(other);
    assert_eq!(get(&store, "card:1").await.unwrap(), b"{}");
    assert_eq!(changes(&mut subscription).await, nothing());
}

#[tokio::test]
async fn what_we_do_to_the_file_is_no_change() {
    let place = Place::new();
    let store = place.open();
    let mut subscription = subscribe(&store).await;
    for n in 0..3 {
        put(&store, "card:1", n.to_string()).await;
        store.checkpoint().await.unwrap();
        store.optimize().await.unwrap();
        assert_eq!(changes(&mut subscription).await, told("card:1", &n.to_string()));
        store.checkpoint().await.unwrap();
        assert_eq!(changes(&mut subscription).await, nothing());
    }
    put_foreign(&place, "{}");
    store.checkpoint().await.unwrap();
    assert_eq!(changes(&mut subscription).await, Changes::Everything);
}

/// Asks for the changes while the thread that writes waits for a lock, so that the call waits, too,
/// and gives it up: before it is answered, or when it is answered already.
async fn ask_and_give_up(
    place: &Place,
    store: &SqliteAdapter,
    subscription: &mut Subscription,
    answered: bool,
) {
    let lock = place.raw();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (space, batch) = (Space::default(), Batch::atomic(vec![put_write("card:held", "{}")]));
    let mut write = pin!(store.write(&space, &batch));
    assert!(poll_once(write.as_mut()).is_pending());
    let mut asking = subscription.changes();
    assert!(poll_once(asking.as_mut()).is_pending());
    if answered {
        lock.execute_batch("ROLLBACK").unwrap();
        write.await.unwrap();
        // Behind the question in the queue.
        store.optimize().await.unwrap();
    } else {
        drop(asking);
        // It does not count as answered.
        assert!(poll_once(subscription.changes().as_mut()).is_pending());
        lock.execute_batch("ROLLBACK").unwrap();
        write.await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_call_loses_nothing() {
    for answered in [false, true] {
        let place = Place::new();
        let store = place.open();
        let mut subscription = subscribe(&store).await;
        for n in 0..3 {
            // Other bytes each time: SQLite commits nothing where nothing changes.
            let bytes = n.to_string();
            put_foreign(&place, &bytes);
            ask_and_give_up(&place, &store, &mut subscription, answered).await;
            assert_eq!(changes(&mut subscription).await, Changes::Everything);

            put(&store, "card:1", &bytes).await;
            ask_and_give_up(&place, &store, &mut subscription, answered).await;
            let Changes::Records(records) = changes(&mut subscription).await else {
                panic!("only this store has written")
            };
            let keys: Vec<_> = records.iter().map(|record| record.key.as_str()).collect();
            assert_eq!(keys, ["card:1", "card:held"]);
            assert_eq!(changes(&mut subscription).await, nothing());
        }
    }
}

#[tokio::test]
async fn a_call_that_nobody_polls_holds_up_nobody() {
    let place = Place::new();
    let store = place.open();
    let (mut one, mut two) = (subscribe(&store).await, subscribe(&store).await);
    put_foreign(&place, "{}");
    let lock = place.raw();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (space, batch) = (Space::default(), Batch::atomic(vec![put_write("card:1", "{}")]));
    let mut write = pin!(store.write(&space, &batch));
    assert!(poll_once(write.as_mut()).is_pending());
    let mut unpolled = one.changes();
    assert!(poll_once(unpolled.as_mut()).is_pending());
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    write.await.unwrap();
    assert_eq!(changes(&mut two).await, Changes::Everything);
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db"]);
    assert_eq!(unpolled.await.unwrap(), Changes::Everything);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_subscriptions_are_told_when_they_ask_at_once() {
    let place = Place::new();
    let store = place.open();
    let (mut one, mut two) = (subscribe(&store).await, subscribe(&store).await);
    for n in 0..100 {
        put_foreign(&place, &n.to_string());
        let ask = |mut subscription: Subscription| {
            tokio::spawn(async move {
                let told = changes(&mut subscription).await;
                (subscription, told)
            })
        };
        let (first, second) = (ask(one), ask(two));
        let told;
        ((one, told), two) = {
            let (first, second) = (first.await.unwrap(), second.await.unwrap());
            assert_eq!(second.1, Changes::Everything);
            (first, second.0)
        };
        assert_eq!(told, Changes::Everything);
    }
}

#[tokio::test]
async fn a_closed_store_has_no_changes_to_tell_and_is_followed_anew_when_opened_again() {
    let place = Place::new();
    let store = place.open();
    let mut subscription = subscribe(&store).await;
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db"]);
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = store.extensions().change_feed.unwrap().subscribe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    let store = place.open();
    let mut subscription = subscribe(&store).await;
    put_foreign(&place, "{}");
    assert_eq!(changes(&mut subscription).await, Changes::Everything);
}

#[tokio::test]
async fn a_subscription_does_not_keep_a_dropped_store_open() {
    let place = Place::new();
    let store = place.open();
    let mut subscription = subscribe(&store).await;
    put(&store, "card:1", "{}").await;
    drop(store);
    // The thread closes the last connection.
    while place.files() != ["app.db"] {
        tokio::task::yield_now().await;
    }
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn after_an_error_everything_is_told() {
    let place = Place::new();
    let store = place.open();
    let (mut one, mut two) = (subscribe(&store).await, subscribe(&store).await);
    put(&store, "card:1", "{}").await;
    // What comes next is read from the file itself.
    store.checkpoint().await.unwrap();
    // Not closed before the store is: that would drop the locks that SQLite holds on it.
    let mut file = OpenOptions::new().write(true).open(place.path("app.db")).unwrap();
    file.write_all(b"no SQLite format").unwrap();
    let error = one.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("is not an SQLite database"), "{error}");

    file.rewind().unwrap();
    file.write_all(b"SQLite format 3\0").unwrap();
    for subscription in [&mut one, &mut two] {
        assert_eq!(changes(subscription).await, Changes::Everything);
        assert_eq!(changes(subscription).await, nothing());
    }
    store.close().await.unwrap();
}
