use pstate_core::{Outcome, Page, Record, Space};

/// The answer of an adapter to a [`Request`](super::Request).
#[derive(Debug, Clone)]
pub enum Response {
    /// To [`Request::MultiGet`](super::Request::MultiGet).
    Records(Vec<Option<Record>>),
    /// To [`Request::Write`](super::Request::Write).
    Outcomes(Vec<Outcome>),
    /// To [`Request::Scan`](super::Request::Scan).
    Page(Page),
    /// To [`Request::Spaces`](super::Request::Spaces).
    Spaces(Vec<Space>),
    /// To [`Request::Flush`](super::Request::Flush) and [`Request::Close`](super::Request::Close).
    Done,
}
