use std::fmt;

/// The check exceeded its bound on work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The number of calls that the check could not decide.
    pub(super) calls: usize,
    /// The bound.
    pub(super) work: usize,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, work } = self;
        write!(f, "undecided: {work} steps did not decide whether an order explains {calls} calls")
    }
}
