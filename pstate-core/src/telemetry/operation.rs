//! What programs ask of a handle.

use std::fmt;

/// What a program has asked a handle to do. Those that are made of others (`update` reads and
/// writes) are reported as these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`PState::get`](crate::PState::get).
    Get,
    /// [`PState::multi_get`](crate::PState::multi_get), and reading what
    /// [`get_resolved`](crate::PState::get_resolved) expands.
    MultiGet,
    /// [`PState::preload`](crate::PState::preload).
    Preload,
    /// [`PState::scan`](crate::PState::scan), one page.
    Scan,
    /// [`PState::warm`](crate::PState::warm), one page.
    Warm,
    /// [`PState::put`](crate::PState::put), and [`put_at`](crate::PState::put_at).
    Put,
    /// [`PState::multi_put`](crate::PState::multi_put).
    MultiPut,
    /// The write of [`PState::update`](crate::PState::update).
    Update,
    /// [`PState::delete`](crate::PState::delete).
    Delete,
    /// [`PState::batch`](crate::PState::batch).
    Batch,
    /// The write of [`PState::create_linked`](crate::PState::create_linked).
    CreateLinked,
    /// [`PState::clear_space`](crate::PState::clear_space), one page.
    ClearSpace,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Get,
        Self::MultiGet,
        Self::Preload,
        Self::Scan,
        Self::Warm,
        Self::Put,
        Self::MultiPut,
        Self::Update,
        Self::Delete,
        Self::Batch,
        Self::CreateLinked,
        Self::ClearSpace,
    ];

    /// Its name, as a label: `get`, `multi_get`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::MultiGet => "multi_get",
            Self::Preload => "preload",
            Self::Scan => "scan",
            Self::Warm => "warm",
            Self::Put => "put",
            Self::MultiPut => "multi_put",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Batch => "batch",
            Self::CreateLinked => "create_linked",
            Self::ClearSpace => "clear_space",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
