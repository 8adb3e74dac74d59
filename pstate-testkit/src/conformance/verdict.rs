use super::violation::Violation;

/// The result of a case.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The adapter keeps the contract.
    Passed,
    /// The case does not apply, for this reason.
    Ignored(String),
    /// The adapter violates the contract.
    Failed(Box<Violation>),
}
