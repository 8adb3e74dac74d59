//! Targets for the figures, and what others have measured.

use crate::backend::BackendName;

use super::operation::Operation;

/// The origin of the column `reference`.
pub const REFERENCE: &str = "an existing Elixir implementation of the same guide: OTP 25, SQLite 3.51.1 \
    with WAL and synchronous=FULL or a map in memory, values of about 70 bytes, one process, 2 cores; \
    medians, measured in 2026";

const US: f64 = 1e3;
const MS: f64 = 1e6;

/// What we aim at on a backend; `None` where we have set nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Aims {
    /// At most this many times what PState is compared with; by hand, by key.
    pub ratio: Option<f64>,
    /// At most this many times the work by hand with an index of parents.
    pub ratio_to_index: Option<f64>,
    /// At most this many nanoseconds.
    pub nanos: Option<f64>,
}

impl Aims {
    const NONE: Self = Self { ratio: None, ratio_to_index: None, nanos: None };

    const fn ratio(ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..Self::NONE }
    }

    const fn to_index(ratio: f64) -> Self {
        Self { ratio_to_index: Some(ratio), ..Self::NONE }
    }

    const fn nanos(nanos: f64) -> Self {
        Self { nanos: Some(nanos), ..Self::NONE }
    }
}

impl Operation {
    /// What we aim at on a backend.
    pub fn aims(self, backend: BackendName) -> Aims {
        let everywhere = match self {
            Self::GetWarm => Aims::ratio(1.25),
            Self::GetWarmTyped => Aims::ratio(1.4),
            Self::ReadFirstMigrated => Aims::ratio(1.5),
            Self::Resolve => Aims::nanos(10.0 * US),
            Self::PreloadCached => Aims::nanos(5.0 * US),
            Self::PreloadCachedTyped | Self::PreloadOneChanged => Aims::nanos(40.0 * US),
            _ => Aims::NONE,
        };
        if everywhere != Aims::NONE {
            return everywhere;
        }
        match backend.name() {
            "sqlite" => self.aims_on_sqlite(),
            "redis" => self.aims_on_redis(),
            "sled" => self.aims_on_sled(),
            _ if self == Self::GetMissing => Aims::ratio(2.0),
            _ => Aims::NONE,
        }
    }

    fn aims_on_sqlite(self) -> Aims {
        match self {
            Self::GetCold | Self::GetColdTyped | Self::GetMissing | Self::MultiGet100Typed => {
                Aims::ratio(1.3)
            }
            Self::PreloadTyped => Aims::to_index(2.0),
            Self::PreloadDeep | Self::PreloadDeepTyped | Self::PreloadNotKept => {
                Aims { ratio: Some(1.2), ..Aims::to_index(2.0) }
            }
            Self::ResolveCold | Self::FlushMigrated => Aims::ratio(1.4),
            Self::PutNew | Self::PutOverwrite => Aims::ratio(1.15),
            Self::Put64Tasks => Aims::ratio(0.2),
            Self::MultiGet100
            | Self::Preload
            | Self::Update
            | Self::MultiPutNew
            | Self::MultiPutOverwrite
            | Self::BatchOverwrite
            | Self::Flush => Aims::ratio(1.25),
            Self::Load => Aims::to_index(1.3),
            Self::Sweep => Aims::nanos(5.0 * US),
            Self::Scan11Of380K => Aims::nanos(100.0 * US),
            _ => Aims::NONE,
        }
    }

    fn aims_on_redis(self) -> Aims {
        match self {
            Self::GetMissing => Aims::ratio(1.2),
            Self::PutNew | Self::PutOverwrite => Aims::ratio(1.25),
            Self::Put64Tasks => Aims::ratio(1.1),
            Self::GetCold
            | Self::MultiGet100
            | Self::MultiPutNew
            | Self::MultiPutOverwrite
            | Self::BatchOverwrite
            | Self::PreloadDeep
            | Self::Get64Tasks => Aims::ratio(1.3),
            Self::Flush | Self::FlushMigrated => Aims::ratio(1.4),
            _ => Aims::NONE,
        }
    }

    fn aims_on_sled(self) -> Aims {
        match self {
            Self::GetCold | Self::GetColdTyped | Self::Flush | Self::FlushMigrated => {
                Aims::ratio(1.4)
            }
            Self::GetMissing | Self::GetColdValues => Aims::ratio(1.6),
            Self::MultiGet100 | Self::Get64Tasks => Aims::ratio(1.5),
            Self::MultiPutNew | Self::MultiPutOverwrite | Self::BatchOverwrite => Aims::ratio(1.25),
            _ => Aims::NONE,
        }
    }

    /// The target of PState's performance guide: the longest time, in nanoseconds.
    pub fn target_ns(self) -> Option<f64> {
        match self {
            Self::QueueWriteBack | Self::QueueWriteBack100K => Some(0.1 * MS),
            Self::MultiGet100
            | Self::MultiGet100Typed
            | Self::MultiGet100Values
            | Self::MultiGet380K
            | Self::Preload
            | Self::PreloadTyped
            | Self::Preload380K => Some(20.0 * MS),
            Self::MultiPutNew
            | Self::MultiPutOverwrite
            | Self::BatchOverwrite
            | Self::Flush
            | Self::FlushMigrated => Some(50.0 * MS),
            Self::ReadFirstMigrated => Some(2.0 * MS),
            Self::ReadSecond => Some(0.5 * MS),
            _ => None,
        }
    }

    /// The median that the guide expects of its own benchmark with 1,000 documents, in nanoseconds.
    pub fn expectation_ns(self) -> Option<f64> {
        match self {
            Self::GetWarm | Self::GetWarmTyped => Some(0.45 * US),
            Self::GetCold | Self::GetColdTyped | Self::GetColdValues => Some(1.8 * US),
            Self::MultiGet10 => Some(95.0 * US),
            Self::MultiGet100
            | Self::MultiGet100Typed
            | Self::MultiGet100Values
            | Self::Preload
            | Self::PreloadTyped => Some(950.0 * US),
            _ => None,
        }
    }

    /// The median of the [existing implementation](REFERENCE), in nanoseconds.
    pub fn reference_ns(self, backend: BackendName) -> Option<f64> {
        let [sqlite, memory] = self.reference_micros()?;
        match backend.name() {
            "sqlite" => Some(sqlite * US),
            "memory" => Some(memory * US),
            _ => None,
        }
    }

    /// On SQLite and in memory.
    fn reference_micros(self) -> Option<[f64; 2]> {
        Some(match self {
            Self::GetWarm | Self::GetWarmTyped => [0.76, 0.76],
            Self::GetCold | Self::GetColdTyped | Self::GetColdValues => [14.9, 1.14],
            Self::GetMissing => [10.7, 0.86],
            Self::MultiGet10 => [67.8, 2.98],
            Self::MultiGet100 | Self::MultiGet100Typed | Self::MultiGet100Values => [486.0, 40.1],
            Self::Preload | Self::PreloadTyped => [456.0, 92.5],
            Self::PreloadDeep | Self::PreloadDeepTyped => [3_577.0, 647.0],
            Self::Resolve | Self::ResolveCold => [6_185.0, 483.0],
            Self::ReadFirstMigrated => [23.1, 8.9],
            Self::ReadSecond => [25.1, 4.8],
            Self::QueueWriteBack | Self::QueueWriteBack100K => [0.31, 0.33],
            Self::PutNew => [191.0, 0.83],
            Self::MultiPutNew => [1_842.0, 44.5],
            Self::MultiPutOverwrite => [1_719.0, 11.8],
            Self::Flush => [1_512.0, 115.0],
            Self::FlushMigrated => [2_465.0, 340.0],
            Self::Scan11Of380K => [44_700.0, 435_000.0],
            Self::GetCold380K => [19.7, 2.0],
            Self::MultiGet380K => [892.0, 127.0],
            _ => return None,
        })
    }
}
