//! Each kind of write, looked for in each place: by reads, in the list of spaces, in the counts of
//! versions, and in the change feed.

use crate::conformance::case::Case;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::context::Context;
use crate::conformance::dimension::Dimension;
use crate::conformance::kind_of_write::{KINDS, KindOfWrite, start};
use crate::conformance::place::{Place, Stage};
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::store::Store;
use crate::conformance::watcher::Watcher;
use crate::conformance::world::World;

/// What is compared after the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Records,
    Spaces,
    Counts,
    Changes,
}

const VISIBLE: &str =
    "Once a write has returned, every later call sees it, through any handle to the same store.";
const REOPENED: &str = "A store that is opened again holds what was acknowledged,";
const KILLED: &str = "The end of the process, also by a kill, takes nothing that was acknowledged";
const LISTED: &str = "All spaces that hold at least one record, in ascending order.";
const COUNTED: &str = "What is counted is what a scan of the whole space gives.";
const REPORTED: &str = "The next call of every subscription reports what was written,";

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for aspect in [Aspect::Records, Aspect::Spaces, Aspect::Counts, Aspect::Changes] {
        for kind in KINDS {
            for place in Place::ALL {
                cases.extend(case(aspect, kind, place));
            }
        }
    }
    cases
}

fn case(aspect: Aspect, kind: &'static KindOfWrite, place: Place) -> Option<Case> {
    let is_time = place.dimension() == Dimension::Time;
    let (area, clause, promise) = match aspect {
        Aspect::Records if place == Place::Reopened => ("durable", REOPENED, Promise::Durability),
        Aspect::Records if is_time => ("durable", KILLED, Promise::Durability),
        Aspect::Records => ("visible", VISIBLE, Promise::Visibility),
        Aspect::Spaces if kind.changes_spaces() => ("listed", LISTED, Promise::Spaces),
        Aspect::Counts if kind.changes_counts() => ("counted", COUNTED, Promise::Counts),
        Aspect::Changes if place.keeps_subscriptions() => ("reported", REPORTED, Promise::Changes),
        _ => return None,
    };
    let mut promises = vec![promise];
    if aspect == Aspect::Records {
        promises.extend(kind.promise());
    }
    let mut dimensions = vec![Dimension::Write, place.dimension()];
    dimensions.dedup();
    let name = format!("{area}::{}_{}", kind.name, place.name());
    let mut case = Case::new(name, clause, &promises, &dimensions, move |context| {
        Box::pin(look(context, aspect, kind, place))
    });
    if place != Place::SameHandle {
        case = case.requires(Requirement::Durability);
    }
    Some(match kind.requirement {
        Some(requirement) => case.requires(requirement),
        None => case,
    })
}

async fn look(context: &Context, aspect: Aspect, kind: &KindOfWrite, place: Place) -> CaseResult {
    let first = context.open().await?;
    aspect.check_offered(&first)?;
    let mut world = start(&first).await?;
    let stage = Stage::open(context, place, first).await?;
    let mut watcher = None;
    if let Some(reader) = stage.reader() {
        // What a handle has read before, it must not keep.
        aspect.check(reader, &world, None, "before the write").await?;
        if aspect == Aspect::Changes {
            watcher = Some(Watcher::new(reader, &world).await?);
        }
    }
    kind.write(context, &stage.writer, &mut world).await?;
    let (reader, _peer) = stage.into_reader(context).await?;
    let after = format!("after {}, read {}", kind.name, place.name()).replace('_', " ");
    aspect.check(&reader, &world, watcher.as_mut(), &after).await
}

impl Aspect {
    fn check_offered(self, store: &Store) -> CaseResult {
        let extensions = store.adapter.extensions();
        match self {
            Self::Counts if extensions.count_versions.is_none() => {
                Err(CaseError::ignored("it does not count versions"))
            }
            Self::Changes if extensions.change_feed.is_none() => {
                Err(CaseError::ignored("it has no change feed"))
            }
            _ => Ok(()),
        }
    }

    async fn check(
        self,
        store: &Store,
        world: &World,
        watcher: Option<&mut Watcher>,
        after: &str,
    ) -> CaseResult {
        match (self, watcher) {
            (Self::Records, _) => world.check_records(store, after).await,
            (Self::Spaces, _) => world.check_spaces(store, after).await,
            (Self::Counts, _) => world.check_counts(store, after).await,
            (Self::Changes, Some(watcher)) => watcher.check(world, after).await,
            (Self::Changes, None) => Ok(()),
        }
    }
}
