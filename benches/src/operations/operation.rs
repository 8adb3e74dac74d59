//! The kinds of work that are measured.

use crate::backend::BackendName;

use super::contender::Contender;

/// What PState is compared with unless an operation says something else.
pub(super) const BY_HAND: &str = "by hand";

/// One kind of work that is measured.
///
/// In the names, `typed` means that the caller gets structs, and `values` that it asks each
/// document for its tree (`Document::value`). Without either, PState has validated the documents
/// and holds their bytes. What PState is compared with builds structs in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A cached document by its `Key`.
    GetWarm,
    /// A cached document as a struct.
    GetWarmTyped,
    /// A document that is not cached.
    GetCold,
    /// The same as a struct.
    GetColdTyped,
    /// The same, and its tree.
    GetColdValues,
    /// A document that is neither cached nor stored.
    GetMissing,
    /// 10 documents that are not cached.
    MultiGet10,
    /// 100 documents that are not cached.
    MultiGet100,
    /// The same as structs.
    MultiGet100Typed,
    /// The same, and their trees.
    MultiGet100Values,
    /// 100 documents that are not cached, one by one, by 64 tasks at once.
    Get64Tasks,
    /// A deck and its 100 cards.
    Preload,
    /// The same, followed and decoded into structs.
    PreloadTyped,
    /// A deck, its 100 cards, and the 3 translations of each.
    PreloadDeep,
    /// The same, followed and decoded into structs.
    PreloadDeepTyped,
    /// That graph again, followed: everything is cached, and nothing has changed.
    PreloadCached,
    /// The same, followed and decoded into structs.
    PreloadCachedTyped,
    /// The same after a write to one of the translations.
    PreloadOneChanged,
    /// The same on a handle whose cache holds nothing, when nothing has changed.
    PreloadNotKept,
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
    /// One member of a document, by reading, changing and storing it.
    Update,
    /// 100 documents under new keys.
    MultiPutNew,
    /// 100 documents over others, with other content.
    MultiPutOverwrite,
    /// The same, all or none of them.
    BatchOverwrite,
    /// Single puts by 64 tasks at once.
    Put64Tasks,
    /// 8,020 documents into an empty store.
    Load,
    /// Storing 100 documents that reads have migrated.
    Flush,
    /// Reading 100 old documents, migrating and storing them.
    FlushMigrated,
    /// A document of a sweep of 2,000.
    Sweep,
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
    pub const ALL: [Self; 40] = [
        Self::GetWarm,
        Self::GetWarmTyped,
        Self::GetCold,
        Self::GetColdTyped,
        Self::GetColdValues,
        Self::GetMissing,
        Self::MultiGet10,
        Self::MultiGet100,
        Self::MultiGet100Typed,
        Self::MultiGet100Values,
        Self::Get64Tasks,
        Self::Preload,
        Self::PreloadTyped,
        Self::PreloadDeep,
        Self::PreloadDeepTyped,
        Self::PreloadCached,
        Self::PreloadCachedTyped,
        Self::PreloadOneChanged,
        Self::PreloadNotKept,
        Self::Resolve,
        Self::ResolveCold,
        Self::ReadFirstMigrated,
        Self::ReadSecond,
        Self::QueueWriteBack,
        Self::QueueWriteBack100K,
        Self::PutNew,
        Self::PutOverwrite,
        Self::Update,
        Self::MultiPutNew,
        Self::MultiPutOverwrite,
        Self::BatchOverwrite,
        Self::Put64Tasks,
        Self::Load,
        Self::Flush,
        Self::FlushMigrated,
        Self::Sweep,
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
            Self::GetColdTyped => "get_cold_typed",
            Self::GetColdValues => "get_cold_values",
            Self::GetMissing => "get_missing",
            Self::MultiGet10 => "multi_get_10",
            Self::MultiGet100 => "multi_get_100",
            Self::MultiGet100Typed => "multi_get_100_typed",
            Self::MultiGet100Values => "multi_get_100_values",
            Self::Get64Tasks => "get_64_tasks",
            Self::Preload => "preload_100",
            Self::PreloadTyped => "preload_100_typed",
            Self::PreloadDeep => "preload_100x3",
            Self::PreloadDeepTyped => "preload_100x3_typed",
            Self::PreloadCached => "preload_100x3_cached",
            Self::PreloadCachedTyped => "preload_100x3_cached_typed",
            Self::PreloadOneChanged => "preload_100x3_one_changed",
            Self::PreloadNotKept => "preload_100x3_not_kept",
            Self::Resolve => "resolve_100x3",
            Self::ResolveCold => "resolve_100x3_cold",
            Self::ReadFirstMigrated => "read_first_migrated",
            Self::ReadSecond => "read_second",
            Self::QueueWriteBack => "queue_write_back",
            Self::QueueWriteBack100K => "queue_write_back_100k",
            Self::PutNew => "put_new",
            Self::PutOverwrite => "put_overwrite",
            Self::Update => "update",
            Self::MultiPutNew => "multi_put_100_new",
            Self::MultiPutOverwrite => "multi_put_100_overwrite",
            Self::BatchOverwrite => "batch_100_overwrite",
            Self::Put64Tasks => "put_64_tasks_full",
            Self::Load => "load_8020",
            Self::Flush => "flush_100",
            Self::FlushMigrated => "flush_100_migrated",
            Self::Sweep => "sweep_2k",
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

    /// Who does it on a backend: PState first, then what it is compared with.
    pub fn contenders(self, backend: BackendName) -> &'static [Contender] {
        match self {
            Self::GetWarm | Self::GetWarmTyped => &[Contender::PState, Contender::Cache],
            Self::ReadFirstMigrated | Self::QueueWriteBack | Self::QueueWriteBack100K => {
                &[Contender::PState, Contender::Plain]
            }
            _ if backend.has_index() && self.is_graph() => {
                &[Contender::PState, Contender::Baseline, Contender::Index]
            }
            _ => &[Contender::PState, Contender::Baseline],
        }
    }

    /// Whether an index of parents would find what it reads, or would have to be written.
    fn is_graph(self) -> bool {
        matches!(
            self,
            Self::Preload
                | Self::PreloadTyped
                | Self::PreloadDeep
                | Self::PreloadDeepTyped
                | Self::PreloadCached
                | Self::PreloadCachedTyped
                | Self::PreloadOneChanged
                | Self::PreloadNotKept
                | Self::Resolve
                | Self::ResolveCold
                | Self::Load
                | Self::Preload380K
        )
    }

    /// Whether it preloads a deck again that the same handle has preloaded before.
    pub(super) fn is_preloaded_before(self) -> bool {
        matches!(
            self,
            Self::PreloadCached
                | Self::PreloadCachedTyped
                | Self::PreloadOneChanged
                | Self::PreloadNotKept
        )
    }

    /// Whether it migrates documents.
    pub(super) fn is_migration(self) -> bool {
        matches!(
            self,
            Self::ReadFirstMigrated
                | Self::ReadSecond
                | Self::QueueWriteBack
                | Self::QueueWriteBack100K
                | Self::Flush
                | Self::FlushMigrated
        )
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

    /// Whether users write to the store.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::PutNew
                | Self::PutOverwrite
                | Self::Update
                | Self::MultiPutNew
                | Self::MultiPutOverwrite
                | Self::BatchOverwrite
                | Self::Put64Tasks
        )
    }

    /// Whether it works on the store of 380,000 documents.
    pub(super) fn is_large(self) -> bool {
        matches!(
            self,
            Self::Scan11Of380K | Self::GetCold380K | Self::MultiGet380K | Self::Preload380K
        )
    }

    /// What the caller asks each document for.
    pub(super) fn wants(self) -> Want {
        match self {
            Self::GetColdTyped
            | Self::MultiGet100Typed
            | Self::PreloadTyped
            | Self::PreloadDeepTyped => Want::Struct,
            Self::GetColdValues | Self::MultiGet100Values => Want::Tree,
            _ => Want::Nothing,
        }
    }
}

/// What a caller asks a document for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Nothing,
    Struct,
    Tree,
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
