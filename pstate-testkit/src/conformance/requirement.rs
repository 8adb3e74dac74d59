use pstate_core::{Atomicity, Capabilities, Durability};

/// The capability that an adapter must declare for a case to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    BatchAtomicity,
    KeyAtomicity,
    Durability,
    MaxBatch,
    MaxValueLen,
}

impl Requirement {
    /// Why the case does not apply; `None` if it does.
    pub(super) fn unmet(self, capabilities: &Capabilities) -> Option<&'static str> {
        let (is_met, reason) = match self {
            Self::BatchAtomicity => {
                (capabilities.atomicity == Atomicity::Batch, "it declares Atomicity::Key")
            }
            Self::KeyAtomicity => {
                (capabilities.atomicity == Atomicity::Key, "it declares Atomicity::Batch")
            }
            Self::Durability => {
                (capabilities.durability != Durability::None, "it declares Durability::None")
            }
            Self::MaxBatch => (capabilities.max_batch.is_some(), "it declares no max_batch"),
            Self::MaxValueLen => {
                (capabilities.max_value_len.is_some(), "it declares no max_value_len")
            }
        };
        (!is_met).then_some(reason)
    }
}
