use super::case_error::CaseResult;
use super::context::{Context, Peer};
use super::dimension::Dimension;
use super::store::Store;

/// Where a write is looked for: through which handle, in which process, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    SameHandle,
    EarlierHandle,
    LaterHandle,
    /// A handle that is open while the one that wrote is closed.
    HandleLeft,
    OtherProcess,
    /// This process, after another one has written.
    ThisProcess,
    Reopened,
    Killed,
}

impl Place {
    pub(super) const ALL: [Self; 8] = [
        Self::SameHandle,
        Self::EarlierHandle,
        Self::LaterHandle,
        Self::HandleLeft,
        Self::OtherProcess,
        Self::ThisProcess,
        Self::Reopened,
        Self::Killed,
    ];

    /// The end of a case's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SameHandle => "by_the_same_handle",
            Self::EarlierHandle => "by_an_earlier_handle",
            Self::LaterHandle => "by_a_later_handle",
            Self::HandleLeft => "after_its_handle_is_closed",
            Self::OtherProcess => "by_another_process",
            Self::ThisProcess => "from_another_process",
            Self::Reopened => "when_reopened",
            Self::Killed => "when_killed",
        }
    }

    pub(super) fn dimension(self) -> Dimension {
        match self {
            Self::SameHandle => Dimension::Write,
            Self::EarlierHandle | Self::LaterHandle | Self::HandleLeft => Dimension::Handle,
            Self::OtherProcess | Self::ThisProcess => Dimension::Process,
            Self::Reopened | Self::Killed => Dimension::Time,
        }
    }

    /// Whether a subscription that was begun before the write can report it there.
    pub(super) fn keeps_subscriptions(self) -> bool {
        !matches!(self, Self::LaterHandle | Self::Reopened | Self::Killed)
    }
}

/// A store that is open as a [`Place`] demands it.
pub(super) struct Stage {
    place: Place,
    pub(super) writer: Store,
    reader: Option<Store>,
    peer: Option<Peer>,
}

impl Stage {
    /// Opens what is open before the write. `first` is the handle that has filled the store.
    pub(super) async fn open(context: &Context, place: Place, first: Store) -> CaseResult<Self> {
        let stage = |writer, reader, peer| Self { place, writer, reader, peer };
        Ok(match place {
            Place::SameHandle => stage(first.clone(), Some(first), None),
            Place::EarlierHandle | Place::HandleLeft => {
                let reader = context.open_second_handle().await?;
                stage(first, Some(reader), None)
            }
            Place::LaterHandle | Place::Reopened => stage(first, None, None),
            Place::OtherProcess => {
                let peer = context.open_in_second_process().await?;
                stage(first, Some(peer.store.clone()), Some(peer))
            }
            Place::ThisProcess => {
                let peer = context.open_in_second_process().await?;
                stage(peer.store.clone(), Some(first), Some(peer))
            }
            Place::Killed => {
                first.close().await?;
                let peer = context.open_in_another_process().await?;
                stage(peer.store.clone(), None, Some(peer))
            }
        })
    }

    /// The handle that reads, if it is open before the write.
    pub(super) fn reader(&self) -> Option<&Store> {
        self.reader.as_ref()
    }

    /// The handle that reads, after the write.
    pub(super) async fn into_reader(self, context: &Context) -> CaseResult<(Store, Option<Peer>)> {
        match self.place {
            Place::HandleLeft | Place::Reopened => self.writer.close().await?,
            Place::Killed => {
                if let Some(peer) = &self.peer {
                    peer.adapter.kill();
                }
            }
            _ => {}
        }
        let reader = match (self.place, self.reader) {
            (_, Some(reader)) => reader,
            (Place::LaterHandle, None) => context.open_second_handle().await?,
            (_, None) => context.open().await?,
        };
        Ok((reader, self.peer))
    }
}
