use std::fmt;

/// A promise of the contract: a group of its clauses that can fail together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// A read gives one result for each key, in their order.
    Reads,
    /// What is read is what was written.
    Bytes,
    /// Keys are distinguished by their bytes.
    Keys,
    /// One outcome for each write, and each write is done as its outcome says.
    Outcomes,
    /// An atomic batch is done as a whole or not at all.
    Atomicity,
    /// A write with an expectation is done if that holds, and only then.
    Expectations,
    /// A revision stands for one value of one key.
    Revisions,
    /// A scan gives all records under a prefix in the order of their keys.
    Scans,
    /// Spaces are apart, and listed while they hold a record.
    Spaces,
    /// A write that has returned is seen by every later call.
    Visibility,
    /// What was acknowledged is still there when the store is opened again.
    Durability,
    /// Calls that overlap take effect one at a time, and none waits for another for ever.
    Concurrency,
    /// A dropped call does no harm.
    Cancellation,
    /// Errors have the right kind, and hide no failure and no secret.
    Errors,
    /// A closed store refuses every call; other handles are still open.
    Closing,
    /// The change feed reports every change.
    Changes,
    /// Documents are counted at the version that a read takes them for.
    Counts,
    /// Maintenance changes no record.
    Maintenance,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Reads,
        Self::Bytes,
        Self::Keys,
        Self::Outcomes,
        Self::Atomicity,
        Self::Expectations,
        Self::Revisions,
        Self::Scans,
        Self::Spaces,
        Self::Visibility,
        Self::Durability,
        Self::Concurrency,
        Self::Cancellation,
        Self::Errors,
        Self::Closing,
        Self::Changes,
        Self::Counts,
        Self::Maintenance,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reads => "reads by key",
            Self::Bytes => "bytes",
            Self::Keys => "keys",
            Self::Outcomes => "outcomes",
            Self::Atomicity => "atomicity",
            Self::Expectations => "expectations",
            Self::Revisions => "revisions",
            Self::Scans => "scans",
            Self::Spaces => "spaces",
            Self::Visibility => "visibility",
            Self::Durability => "durability",
            Self::Concurrency => "concurrency",
            Self::Cancellation => "cancellation",
            Self::Errors => "errors",
            Self::Closing => "closing",
            Self::Changes => "change feed",
            Self::Counts => "version counts",
            Self::Maintenance => "maintenance",
        })
    }
}
