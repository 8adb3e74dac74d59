//! The kinds of work that are measured.

use crate::backend::BackendName;

use super::contender::Contender;

/// What PState is compared with unless an operation says something else.
pub(super) const BY_HAND: &str = "by hand";

/// One kind of work that is measured.
///
/// In the names, `values` means that the caller also asks each document for its tree
/// (`Document::value`). Without, PState has validated the documents and holds their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A cached document by its `Key`.
    GetWarm,
    /// A cached document as a struct.
    GetWarmTyped,
    /// A document that is not cached.
    GetCold,
    /// The same, and its tree.
    GetColdValues,
    /// A document that is neither cached nor stored.
    GetMissing,
    /// 10 documents that are not cached.
    MultiGet10,
    /// 100 documents that are not cached.
    MultiGet100,
    /// The same, and their trees.
    MultiGet100Values,
    /// 100 documents that are not cached, one by one, by 64 tasks at once.
    Get64Tasks,
    /// A deck and its 100 cards.
    Preload,
    /// The same, and their trees.
    PreloadValues,
    /// A deck, its 100 cards, and the 3 translations of each.
    PreloadDeep,
    /// The same, and their trees.
    PreloadDeepValues,
    /// The tree of that graph, when nothing in it has changed since it was built last.
    Resolve,
    /// The same for the first time.
    ResolveCold,
    /// A document at version 1 that is not cached: it is migrated and queued for write-back.
    ReadFirstMigrated,
    /// A document that was migrated and written back, and is not cached.
    ReadSecond,
    /// Migrating and queueing a document behind 1,000 others.
    QueueWriteBack,
    /// The same behind 100,000 others.
    QueueWriteBack100K,
    /// One document under a new key.
    PutNew,
    /// One document over another, with other content.
    PutOverwrite,
    /// 100 documents under new keys.
    MultiPutNew,
    /// 100 documents over others, with other content.
    MultiPutOverwrite,
    /// Single puts by 64 tasks at once.
    Put64Tasks,
    /// Storing 100 documents that reads have migrated.
    Flush,
    /// Reading 100 old documents, migrating and storing them.
    FlushMigrated,
    /// The 11 documents whose keys begin alike, among 380,000 others.
    Scan11Of380K,
    /// [`GetCold`](Self::GetCold) among 380,000.
    GetCold380K,
    /// [`MultiGet100`](Self::MultiGet100) among 380,000.
    MultiGet380K,
    /// [`Preload`](Self::Preload) of cards that lie apart among 380,000.
    Preload380K,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::GetWarm,
        Self::GetWarmTyped,
        Self::GetCold,
        Self::GetColdValues,
        Self::GetMissing,
        Self::MultiGet10,
        Self::MultiGet100,
        Self::MultiGet100Values,
        Self::Get64Tasks,
        Self::Preload,
        Self::PreloadValues,
        Self::PreloadDeep,
        Self::PreloadDeepValues,
        Self::Resolve,
        Self::ResolveCold,
        Self::ReadFirstMigrated,
        Self::ReadSecond,
        Self::QueueWriteBack,
        Self::QueueWriteBack100K,
        Self::PutNew,
        Self::PutOverwrite,
        Self::MultiPutNew,
        Self::MultiPutOverwrite,
        Self::Put64Tasks,
        Self::Flush,
        Self::FlushMigrated,
        Self::Scan11Of380K,
        Self::GetCold380K,
        Self::MultiGet380K,
        Self::Preload380K,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetWarm => "get_warm",
            Self::GetWarmTyped => "get_warm_typed",
            Self::GetCold => "get_cold",
            Self::GetColdValues => "get_cold_values",
            Self::GetMissing => "get_missing",
            Self::MultiGet10 => "multi_get_10",
            Self::MultiGet100 => "multi_get_100",
            Self::MultiGet100Values => "multi_get_100_values",
            Self::Get64Tasks => "get_64_tasks",
            Self::Preload => "preload_100",
            Self::PreloadValues => "preload_100_values",
            Self::PreloadDeep => "preload_100x3",
            Self::PreloadDeepValues => "preload_100x3_values",
            Self::Resolve => "resolve_100x3",
            Self::ResolveCold => "resolve_100x3_cold",
            Self::ReadFirstMigrated => "read_first_migrated",
            Self::ReadSecond => "read_second",
            Self::QueueWriteBack => "queue_write_back",
            Self::QueueWriteBack100K => "queue_write_back_100k",
            Self::PutNew => "put_new",
            Self::PutOverwrite => "put_overwrite",
            Self::MultiPutNew => "multi_put_100_new",
            Self::MultiPutOverwrite => "multi_put_100_overwrite",
            Self::Put64Tasks => "put_64_tasks_full",
            Self::Flush => "flush_100",
            Self::FlushMigrated => "flush_100_migrated",
            Self::Scan11Of380K => "scan_11_of_380k",
            Self::GetCold380K => "get_cold_380k",
            Self::MultiGet380K => "multi_get_100_380k",
            Self::Preload380K => "preload_100_380k",
        }
    }

    /// Whether it is measured on this backend, in a run of the usual length or in a
    /// [long](super::Effort::LONG) one.
    pub fn is_measured(self, backend: BackendName, long: bool) -> bool {
        match self {
            // Filling the queue takes long, and the queue does not depend on the backend.
            Self::QueueWriteBack100K => long && backend == BackendName::Memory,
            _ => true,
        }
    }

    /// Who does it: PState first, then what it is compared with.
    pub fn contenders(self) -> &'static [Contender] {
        match self {
            Self::GetWarm | Self::GetWarmTyped => &[Contender::PState, Contender::Cache],
            Self::ReadFirstMigrated | Self::QueueWriteBack | Self::QueueWriteBack100K => {
                &[Contender::PState, Contender::Plain]
            }
            Self::GetCold
            | Self::MultiGet10
            | Self::MultiGet100
            | Self::Preload
            | Self::PreloadDeep
            | Self::ReadSecond
            | Self::Scan11Of380K
            | Self::GetCold380K
            | Self::MultiGet380K
            | Self::Preload380K => &[Contender::PState, Contender::Baseline, Contender::Raw],
            _ => &[Contender::PState, Contender::Baseline],
        }
    }

    /// The second contender, which PState is compared with, in words.
    pub fn compared_with(self) -> &'static str {
        match self {
            Self::GetWarm | Self::GetWarmTyped => "cache crate",
            Self::ReadFirstMigrated => "current document",
            Self::QueueWriteBack | Self::QueueWriteBack100K => "not queued",
            _ => BY_HAND,
        }
    }

    /// Whether target and reference limit the difference to the second contender.
    pub(super) fn is_about_the_difference(self) -> bool {
        matches!(self, Self::QueueWriteBack | Self::QueueWriteBack100K)
    }

    /// Whether it writes to the store.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::PutNew
                | Self::PutOverwrite
                | Self::MultiPutNew
                | Self::MultiPutOverwrite
                | Self::Put64Tasks
                | Self::Flush
                | Self::FlushMigrated
        )
    }

    /// Whether it works on the store of 380,000 documents.
    pub(super) fn is_large(self) -> bool {
        matches!(
            self,
            Self::Scan11Of380K | Self::GetCold380K | Self::MultiGet380K | Self::Preload380K
        )
    }

    /// Whether the caller asks each document for its tree.
    pub(super) fn wants_values(self) -> bool {
        matches!(
            self,
            Self::GetColdValues
                | Self::MultiGet100Values
                | Self::PreloadValues
                | Self::PreloadDeepValues
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_operations_have_the_same_name() {
        let names: BTreeSet<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
        assert_eq!(names.len(), Operation::ALL.len());
    }
}
