//! What is measured.

/// One kind of work.
///
/// In the names, `values` means that the caller also asks each document for its tree
/// (`Document::value`). Without, PState has validated the documents and holds their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A cached document by its `Key`.
    GetWarm,
    /// A cached document by `"type:id"`.
    GetWarmStr,
    /// A cached document as a struct.
    GetWarmTyped,
    /// A document that is not cached.
    GetCold,
    /// The same, and its tree.
    GetColdValues,
    /// 100 documents that are not cached.
    MultiGet,
    /// The same, and their trees.
    MultiGetValues,
    /// A document at version 1 that is not cached: it is migrated and queued for write-back.
    GetColdOld,
    /// A document that is migrated and queued, behind 1,000 others.
    QueueBehind1K,
    /// The same behind 100,000 others.
    QueueBehind100K,
    /// A deck and its 100 cards.
    Preload,
    /// The same, and their trees.
    PreloadValues,
    /// A deck, its 100 cards, and the 3 translations of each.
    PreloadDeep,
    /// The same, and their trees.
    PreloadDeepValues,
    /// 100 documents over others, with other content.
    MultiPutOverwrite,
    /// 100 documents under new keys.
    MultiPutNew,
    /// Storing 100 documents that were migrated when they were read.
    Flush,
}

/// What an operation is called and compared with; figures in nanoseconds.
struct Facts {
    name: &'static str,
    target: Option<f64>,
    reference: Option<f64>,
}

const US: f64 = 1e3;
const MS: f64 = 1e6;

impl Operation {
    /// All of them; those that change what is stored at the end.
    pub const ALL: [Self; 17] = [
        Self::GetWarm,
        Self::GetWarmStr,
        Self::GetWarmTyped,
        Self::GetCold,
        Self::GetColdValues,
        Self::GetColdOld,
        Self::QueueBehind1K,
        Self::QueueBehind100K,
        Self::MultiGet,
        Self::MultiGetValues,
        Self::Preload,
        Self::PreloadValues,
        Self::PreloadDeep,
        Self::PreloadDeepValues,
        Self::MultiPutOverwrite,
        Self::MultiPutNew,
        Self::Flush,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What PState's performance guide promises, in nanoseconds: for batches and migrations the
    /// target, for other single reads the expected median. When a read that queues is compared with
    /// one that does not, it is about the difference.
    pub fn target_ns(self) -> Option<f64> {
        self.facts().target
    }

    /// The median of an existing Elixir implementation on a 2-core machine, in nanoseconds: SQLite
    /// with WAL and `synchronous=FULL`, values of about 70 bytes, one process. About the same as the
    /// target.
    pub fn reference_ns(self) -> Option<f64> {
        self.facts().reference
    }

    /// What PState is compared with.
    pub fn baseline(self) -> &'static str {
        match self {
            Self::GetColdOld => "current document",
            Self::QueueBehind1K | Self::QueueBehind100K => "not queued",
            _ => "by hand",
        }
    }

    /// Whether it changes what is stored.
    pub fn writes(self) -> bool {
        matches!(self, Self::MultiPutOverwrite | Self::MultiPutNew | Self::Flush)
    }

    fn facts(self) -> Facts {
        let facts = |name, target, reference| Facts { name, target, reference };
        let known = |name, target, reference| facts(name, Some(target), Some(reference));
        match self {
            Self::GetWarm => known("get_warm", 0.45 * US, 0.76 * US),
            Self::GetWarmStr => known("get_warm_str", 0.45 * US, 0.76 * US),
            Self::GetWarmTyped => known("get_warm_typed", 0.45 * US, 0.76 * US),
            Self::GetCold => known("get_cold", 1.8 * US, 14.9 * US),
            Self::GetColdValues => known("get_cold_values", 1.8 * US, 14.9 * US),
            Self::MultiGet => known("multi_get_100", 20.0 * MS, 486.0 * US),
            Self::MultiGetValues => known("multi_get_100_values", 20.0 * MS, 486.0 * US),
            Self::Preload => known("preload_100", 20.0 * MS, 456.0 * US),
            Self::PreloadValues => known("preload_100_values", 20.0 * MS, 456.0 * US),
            Self::PreloadDeep => facts("preload_100x3", None, Some(3_577.0 * US)),
            Self::PreloadDeepValues => facts("preload_100x3_values", None, Some(3_577.0 * US)),
            Self::MultiPutOverwrite => known("multi_put_100_overwrite", 50.0 * MS, 1_719.0 * US),
            Self::MultiPutNew => known("multi_put_100_new", 50.0 * MS, 1_842.0 * US),
            Self::GetColdOld => known("get_cold_old", 2.0 * MS, 23.1 * US),
            Self::QueueBehind1K => known("queue_write_back_1k", 0.1 * MS, 0.31 * US),
            Self::QueueBehind100K => known("queue_write_back_100k", 0.1 * MS, 0.31 * US),
            Self::Flush => known("flush_100", 50.0 * MS, 2_465.0 * US),
        }
    }
}
