//! Where records lie in a Cluster.

/// Where the records of a space lie in a Cluster, and with it what can be atomic.
///
/// It is part of how a store is laid out: opening a store first decides it, and opening it with
/// another one later is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// All of a space in one slot, so on one server. Batches are atomic and reads of several keys
    /// are a snapshot: [`Atomicity::Batch`](pstate_core::Atomicity::Batch). Many spaces fill a
    /// Cluster.
    #[default]
    PerSpace,
    /// Each record in the slot of its own key, so that one space can fill a Cluster. One key at a
    /// time is atomic: [`Atomicity::Key`](pstate_core::Atomicity::Key). A new record takes three
    /// round trips.
    PerKey,
}

impl Placement {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PerSpace => "per_space",
            Self::PerKey => "per_key",
        }
    }
}
