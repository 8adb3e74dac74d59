//! Targets for the figures, and what others have measured.

use crate::backend::BackendName;

use super::operation::Operation;

/// The origin of the column `reference`.
pub const REFERENCE: &str = "an existing Elixir implementation of the same guide: OTP 25, SQLite 3.51.1 \
    with WAL and synchronous=FULL or a map in memory, values of about 70 bytes, one process, 2 cores; \
    medians, measured in 2026";

const US: f64 = 1e3;
const MS: f64 = 1e6;

/// What we aim at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// At most this many times the second contender's time.
    Ratio(f64),
    /// At most this many nanoseconds.
    Time(f64),
}

impl Operation {
    /// What we aim at on a backend; `None` where we have set nothing.
    pub fn aim(self, backend: BackendName) -> Option<Aim> {
        let is = |name: &str| backend.name() == name;
        match self {
            Self::GetCold
            | Self::MultiGet100
            | Self::MultiPutNew
            | Self::MultiPutOverwrite
            | Self::PreloadDeep
            | Self::Get64Tasks
                if is("redis") =>
            {
                Some(Aim::Ratio(1.3))
            }
            Self::GetCold
            | Self::MultiGet100
            | Self::MultiPutNew
            | Self::MultiPutOverwrite
            | Self::Get64Tasks
                if is("sled") =>
            {
                Some(Aim::Ratio(1.5))
            }
            Self::GetWarm | Self::GetWarmTyped | Self::PreloadDeep => Some(Aim::Ratio(1.5)),
            Self::Resolve => Some(Aim::Time(10.0 * US)),
            Self::ReadFirstMigrated => Some(Aim::Ratio(2.0)),
            Self::GetCold if is("sqlite") => Some(Aim::Ratio(1.5)),
            Self::MultiGet100 | Self::Preload if is("sqlite") => Some(Aim::Ratio(1.25)),
            Self::MultiPutNew | Self::MultiPutOverwrite | Self::Flush | Self::FlushMigrated
                if is("sqlite") =>
            {
                Some(Aim::Ratio(1.2))
            }
            Self::Put64Tasks if is("sqlite") => Some(Aim::Ratio(0.2)),
            Self::Scan11Of380K if is("sqlite") => Some(Aim::Time(100.0 * US)),
            _ => None,
        }
    }

    /// The target of PState's performance guide: the longest time, in nanoseconds.
    pub fn target_ns(self) -> Option<f64> {
        match self {
            Self::QueueWriteBack | Self::QueueWriteBack100K => Some(0.1 * MS),
            Self::MultiGet100
            | Self::MultiGet100Values
            | Self::MultiGet380K
            | Self::Preload
            | Self::PreloadValues
            | Self::Preload380K => Some(20.0 * MS),
            Self::MultiPutNew | Self::MultiPutOverwrite | Self::Flush | Self::FlushMigrated => {
                Some(50.0 * MS)
            }
            Self::ReadFirstMigrated => Some(2.0 * MS),
            Self::ReadSecond => Some(0.5 * MS),
            _ => None,
        }
    }

    /// The median that the guide expects of its own benchmark with 1,000 documents, in nanoseconds.
    pub fn expectation_ns(self) -> Option<f64> {
        match self {
            Self::GetWarm | Self::GetWarmTyped => Some(0.45 * US),
            Self::GetCold | Self::GetColdValues => Some(1.8 * US),
            Self::MultiGet10 => Some(95.0 * US),
            Self::MultiGet100 | Self::MultiGet100Values | Self::Preload | Self::PreloadValues => {
                Some(950.0 * US)
            }
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
            Self::GetCold | Self::GetColdValues => [14.9, 1.14],
            Self::GetMissing => [10.7, 0.86],
            Self::MultiGet10 => [67.8, 2.98],
            Self::MultiGet100 | Self::MultiGet100Values => [486.0, 40.1],
            Self::Preload | Self::PreloadValues => [456.0, 92.5],
            Self::PreloadDeep | Self::PreloadDeepValues => [3_577.0, 647.0],
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
            Self::Get64Tasks | Self::PutOverwrite | Self::Put64Tasks | Self::Preload380K => {
                return None;
            }
        })
    }
}
