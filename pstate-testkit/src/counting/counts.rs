/// The calls that a [`CountingLayer`](super::CountingLayer) has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `multi_get`.
    pub reads: usize,
    /// Keys in those calls.
    pub keys_read: usize,
    /// Calls of `write`.
    pub writes: usize,
    /// Writes in those calls.
    pub keys_written: usize,
    /// Calls of `scan`.
    pub scans: usize,
}
