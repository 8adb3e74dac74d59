//! A subscription, with a connection to each primary.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use pstate_core::{ChangeSubscription, Changes, Error, HubSubscription, Result};
use redis::{Pipeline, PushInfo, Value};

use super::inbox::Inbox;
use super::link::Link;
use super::report::Report;
use crate::error::{Effect, Failure};
use crate::server::Tracking;
use crate::store::{Store, check_note};

#[derive(Debug)]
struct Subscription {
    /// Weak, so that a subscription does not keep the connections of a dropped adapter.
    store: Weak<Store>,
    published: HubSubscription,
    links: Vec<Link>,
    followed: Vec<(String, u16)>,
    inbox: Arc<Inbox>,
    report: Report,
    /// The note of the data set when it was last asked for, if it was.
    note: Option<Value>,
}

/// Follows all primaries.
pub(crate) async fn subscribe(store: &Arc<Store>) -> Result<Box<dyn ChangeSubscription>> {
    store.check_open()?;
    // An earlier subscription has ended, perhaps because a server has lost something.
    store.registry.clear();
    let published = store.hub.subscribe();
    let inbox = Arc::new(Inbox::default());
    let failed = |failure: Failure| failure.into_error(Effect::Read);
    let primaries = store.servers.primaries().await.map_err(failed)?;
    let prefix = store.layout.record_prefix();
    let follow = primaries.iter().map(async |(host, port)| {
        let inbox = Arc::clone(&inbox);
        let notify = move |push: PushInfo| {
            inbox.push(push);
            Ok::<_, redis::aio::SendError>(())
        };
        let tracking = Tracking::new(&store.config, host, *port, &prefix, notify).await?;
        Ok(Link::new(host, tracking))
    });
    let links = try_join_all(follow).await.map_err(failed)?;
    let mut subscription = Subscription {
        store: Arc::downgrade(store),
        published,
        links,
        followed: primaries,
        inbox,
        report: Report::default(),
        note: None,
    };
    // From here on all primaries notify.
    subscription.catch_up().await?;
    Ok(Box::new(subscription))
}

impl Subscription {
    fn store(&self) -> Result<Arc<Store>> {
        let store = self.store.upgrade().ok_or_else(Error::store_closed)?;
        store.check_open()?;
        Ok(store)
    }

    /// Waits until all earlier notifications have arrived.
    async fn catch_up(&mut self) -> Result<()> {
        let store = self.store()?;
        let mut question = Pipeline::new();
        for command in store.servers.barrier(&store.layout.format()) {
            question.add_command(command);
        }
        let question = Arc::new(question);
        let followed = &self.followed;
        let asked = self.links.iter_mut().map(async |link| {
            let answers = link.ask(&question).await?;
            store.servers.check_barrier(link.address(), &link.host, answers, followed)
        });
        let failed = |failure: Failure| failure.into_error(Effect::Read);
        let notes = try_join_all(asked).await.map_err(failed)?;
        if self.inbox.is_lost() {
            let why = "the connection that follows changes was lost";
            return Err(failed(Failure::unavailable(why.to_owned())));
        }
        match notes.into_iter().flatten().next() {
            Some(note) => self.compare(note, &store).map_err(failed),
            None => Ok(()),
        }
    }

    /// Compares the note of the data set with the one before. With another one, everything is
    /// another, and the server has reported nothing: `SWAPDB` touches no key.
    fn compare(&mut self, note: Value, store: &Store) -> std::result::Result<(), Failure> {
        if self.note.as_ref() == Some(&note) {
            return Ok(());
        }
        if let Value::BulkString(note) = &note {
            check_note(&String::from_utf8_lossy(note), &store.layout)?;
        }
        if self.note.replace(note).is_some() {
            self.report.add_everything();
            store.registry.clear();
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<Changes> {
        self.catch_up().await?;
        let store = self.store()?;
        // Without an await in between, so a dropped call loses nothing.
        let messages = self.inbox.take();
        if messages.everything {
            // The server may be empty: the next write enters its place again.
            store.registry.clear();
        }
        self.report.add(messages, &store);
        self.report.add_own(self.published.take());
        self.report.take(&store).await
    }
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        self.ask().await.map_err(|error| error.in_operation("changes"))
    }

    async fn wait(&mut self) {
        self.inbox.wait().await;
    }
}
