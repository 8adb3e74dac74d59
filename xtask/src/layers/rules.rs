use crate::text::TextRules;

/// What may depend on what, and which texts follow which rules.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The crates, tier by tier, from what depends on nothing to what depends on all. A crate may
    /// depend on lower tiers, its tests and examples on its own tier too.
    pub tiers: &'static [&'static [Crate]],
    /// The rules of texts; the longest path that contains a file wins.
    pub texts: &'static [TextRules],
}

impl Table {
    /// All crates, with the index of their tier.
    pub(super) fn crates(&self) -> impl Iterator<Item = (usize, &'static Crate)> {
        let tiers = self.tiers.iter().enumerate();
        tiers.flat_map(|(index, tier)| tier.iter().map(move |entry| (index, entry)))
    }

    pub(super) fn find(&self, name: &str) -> Option<(usize, &'static Crate)> {
        self.crates().find(|(_, entry)| entry.name == name)
    }
}

/// One crate of the workspace.
#[derive(Debug, Clone, Copy)]
pub struct Crate {
    /// The package's name.
    pub name: &'static str,
    /// The only crates of the workspace that it may depend on; without a list all of lower tiers.
    pub only: Option<&'static [&'static str]>,
    /// Its rooms, from what depends on nothing to what depends on all. None: rings are the only
    /// thing that is checked inside this crate.
    pub rooms: &'static [Room],
    /// Whether a file with child modules holds only `mod` and `use`.
    pub bare_roots: bool,
}

impl Crate {
    /// A crate without rooms.
    pub const fn new(name: &'static str) -> Self {
        Self { name, only: None, rooms: &[], bare_roots: false }
    }

    /// Sets the rooms, from what depends on nothing to what depends on all.
    pub const fn rooms(self, rooms: &'static [Room]) -> Self {
        Self { rooms, ..self }
    }

    /// Narrows what it may depend on.
    pub const fn only(self, crates: &'static [&'static str]) -> Self {
        Self { only: Some(crates), ..self }
    }

    /// Demands that files with child modules hold only `mod` and `use`.
    pub const fn bare_roots(self) -> Self {
        Self { bare_roots: true, ..self }
    }

    pub(super) fn room(&self, name: &str) -> Option<&'static Room> {
        self.rooms.iter().find(|room| room.name == name)
    }

    /// The rooms that a room may import.
    pub(super) fn allowed(&self, room: &str) -> Vec<&'static str> {
        let above = self.rooms.iter().take_while(|above| above.name != room);
        let only = self.room(room).and_then(|room| room.only);
        let allowed = above.filter(|above| only.is_none_or(|only| only.contains(&above.name)));
        allowed.map(|above| above.name).collect()
    }
}

/// A module at the root of a crate.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The module's name.
    pub name: &'static str,
    /// The only rooms that it may import; without a list all above it.
    pub only: Option<&'static [&'static str]>,
}

impl Room {
    /// A room that may import all above it.
    pub const fn new(name: &'static str) -> Self {
        Self { name, only: None }
    }

    /// Narrows what it may import.
    pub const fn only(self, rooms: &'static [&'static str]) -> Self {
        Self { only: Some(rooms), ..self }
    }
}
