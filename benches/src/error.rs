//! What goes wrong.

/// An error ends a benchmark and is shown.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of anything that touches a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
