/// The point at which a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call reaches the adapter.
    Before,
    /// After the adapter has answered, before the caller receives the answer.
    After,
}
