//! Calls of a closed store, while others are open.

use std::num::NonZeroUsize;

use pstate_core::{Batch, Durability, ErrorKind, Expect, Result, Scan, Write};

use crate::conformance::case::Case;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::kind_of_write::start;
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;
use crate::conformance::watcher::Watcher;

const AFTERWARDS: &str =
    "Later calls, except `close`, fail with [`Unavailable`](crate::ErrorKind::Unavailable).";
const RELEASE: &str = "Flushes and releases what the adapter holds.";

/// A call that a closed store refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    MultiGet,
    MultiGetOfNothing,
    Put,
    Delete,
    Swap,
    EachBatch,
    AtomicBatch,
    EmptyBatch,
    Scan,
    Spaces,
    Flush,
    CountVersions,
    Subscribe,
}

impl Call {
    const ALL: [Self; 13] = [
        Self::MultiGet,
        Self::MultiGetOfNothing,
        Self::Put,
        Self::Delete,
        Self::Swap,
        Self::EachBatch,
        Self::AtomicBatch,
        Self::EmptyBatch,
        Self::Scan,
        Self::Spaces,
        Self::Flush,
        Self::CountVersions,
        Self::Subscribe,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::MultiGet => "multi_get",
            Self::MultiGetOfNothing => "multi_get_of_nothing",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Swap => "swap",
            Self::EachBatch => "each_batch",
            Self::AtomicBatch => "atomic_batch",
            Self::EmptyBatch => "empty_batch",
            Self::Scan => "scan",
            Self::Spaces => "spaces",
            Self::Flush => "flush",
            Self::CountVersions => "count_versions",
            Self::Subscribe => "subscribe",
        }
    }

    async fn make(self, store: &Store) -> CaseResult<Result<()>> {
        let (adapter, space) = (&store.adapter, &store.space);
        let write = |batch: Batch| async move { adapter.write(space, &batch).await.map(drop) };
        let extensions = adapter.extensions();
        Ok(match self {
            Self::MultiGet => adapter.multi_get(space, &[key("card:1")]).await.map(drop),
            Self::MultiGetOfNothing => adapter.multi_get(space, &[]).await.map(drop),
            Self::Put => write(Batch::atomic(vec![put("card:1", "late")])).await,
            Self::Delete => write(Batch::atomic(vec![Write::delete(key("card:1"))])).await,
            Self::Swap => write(Batch::each(vec![put_if("card:9", "late", Expect::Absent)])).await,
            Self::EachBatch => {
                let writes = vec![put("card:1", "late"), Write::delete(key("card:2"))];
                write(Batch::each(as_many_as_fit(store, writes))).await
            }
            Self::AtomicBatch => {
                let writes = vec![put("card:1", "late"), Write::delete(key("card:2"))];
                write(store.widest_batch(as_many_as_fit(store, writes))).await
            }
            Self::EmptyBatch => write(Batch::each(Vec::new())).await,
            Self::Scan => {
                let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
                adapter.scan(space, &scan).await.map(drop)
            }
            Self::Spaces => adapter.spaces().await.map(drop),
            Self::Flush => adapter.flush().await,
            Self::CountVersions => match extensions.count_versions {
                Some(counter) => counter.count_versions(space).await.map(drop),
                None => return Err(CaseError::ignored("it does not count versions")),
            },
            Self::Subscribe => match extensions.change_feed {
                Some(feed) => feed.subscribe().await.map(drop),
                None => return Err(CaseError::ignored("it has no change feed")),
            },
        })
    }
}

fn as_many_as_fit(store: &Store, mut writes: Vec<Write>) -> Vec<Write> {
    writes.truncate(store.up_to_max_batch(writes.len()));
    writes
}

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for call in Call::ALL {
        let name = format!("closed::{}", call.name());
        let promises = [Promise::Closing, Promise::Errors];
        let dimensions = [Dimension::Write];
        cases.push(Case::new(name, AFTERWARDS, &promises, &dimensions, move |context| {
            Box::pin(closed(context, call, false))
        }));
        let name = format!("closed::{}_with_another_handle_open", call.name());
        let dimensions = [Dimension::Handle];
        let case = Case::new(name, AFTERWARDS, &promises, &dimensions, move |context| {
            Box::pin(closed(context, call, true))
        });
        cases.push(case.requires(Requirement::Durability));
    }
    for (name, dimension) in [
        ("closed::another_handle_stays_open", Dimension::Handle),
        ("closed::another_process_stays_open", Dimension::Process),
    ] {
        let promises = [Promise::Closing];
        let case = Case::new(name, RELEASE, &promises, &[dimension], move |context| {
            Box::pin(another_stays_open(context, dimension))
        });
        cases.push(case.requires(Requirement::Durability));
    }
    let dimensions = [Dimension::Time];
    let reopened = Case::new(
        "closed::opened_and_closed_again",
        RELEASE,
        &[Promise::Closing, Promise::Durability],
        &dimensions,
        |context| Box::pin(opened_and_closed_again(context)),
    );
    cases.push(reopened.requires(Requirement::Durability));
    cases
}

/// The call fails, twice, and has no effect on what is stored.
async fn closed(context: &Context, call: Call, beside_another: bool) -> CaseResult {
    let store = context.open().await?;
    let world = start(&store).await?;
    let other = if beside_another { Some(context.open_second_handle().await?) } else { None };
    // A subscription that is open does not keep the store open.
    let subscription = match store.adapter.extensions().change_feed {
        Some(feed) => Some(feed.subscribe().await?),
        None => None,
    };
    let red = store.space("red");
    store.close().await?;
    for _ in 0..2 {
        let kind = call.make(&red).await?.err().map(|error| error.kind());
        let what = format!("the error of {} after close", call.name());
        ensure_eq(&what, &Some(ErrorKind::Unavailable), &kind)?;
    }
    drop(subscription);
    match other {
        Some(other) => world.check_records(&other, "in the handle that is open").await,
        None if context.capabilities().durability == Durability::None => Ok(()),
        None => world.check_records(&context.open().await?, "when reopened").await,
    }
}

/// A handle does everything, before and after another one is closed.
async fn another_stays_open(context: &Context, dimension: Dimension) -> CaseResult {
    let first = context.open().await?;
    let mut world = start(&first).await?;
    let (other, _peer) = if dimension == Dimension::Process {
        let peer = context.open_in_second_process().await?;
        (peer.store.clone(), Some(peer))
    } else {
        (context.open_second_handle().await?, None)
    };
    let mut watcher = match other.adapter.extensions().change_feed {
        Some(_) => Some(Watcher::new(&other, &world).await?),
        None => None,
    };
    let batch = |text: &str| Batch::each(vec![put("card:1", text)]);
    world.write(&first.space("red"), &batch("before the close")).await?;
    first.close().await?;
    for round in 0..3 {
        let after = format!("in round {round} after another handle was closed");
        world.check_records(&other, &after).await?;
        world.check_spaces(&other, &after).await?;
        if let Some(watcher) = &mut watcher {
            watcher.check(&world, &after).await?;
        }
        world.write(&other.space("red"), &batch(&format!("round {round}"))).await?;
        let new = other.space(&format!("new-{round}"));
        world.write(&new, &batch("new")).await?;
        other.adapter.flush().await?;
    }
    let again = context.open().await?;
    world.check_records(&again, "in a handle that was opened after the close").await?;
    again.close().await?;
    world.check_records(&other, "after a second handle was closed").await
}

async fn opened_and_closed_again(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let mut world = start(&store).await?;
    store.close().await?;
    for round in 0..6 {
        let store = context.open().await?;
        world.check_records(&store, &format!("opened {round} times")).await?;
        world.check_spaces(&store, &format!("opened {round} times")).await?;
        let batch = Batch::each(vec![put("card:1", &format!("round {round}"))]);
        world.write(&store.space("red"), &batch).await?;
        if round % 2 == 0 {
            store.adapter.flush().await?;
        }
        store.close().await?;
    }
    world.check_records(&context.open().await?, "at the end").await
}
