//! A linearizability checker for recorded histories.
//!
//! A [`History`] is what concurrent clients of one store observed: for each [`Call`], when it was
//! invoked, when it returned, and what it did. The history is linearizable if every call can be
//! assigned one moment between invocation and return at which it took effect, so that the results
//! are those of a store that executes the calls one at a time, in the order of these moments.
//! [`History::check`] finds out whether such an order exists, and if not, which few calls prove it.
//!
//! The store is an array of registers, here called cells. One call may read several cells, or
//! change several under expectations (compare-and-swap), at one moment.
//!
//! A call of unknown outcome has no return: an error that leaves the effect open, a dropped future,
//! a killed process. It may have taken effect at any time since its invocation, or never.

mod action;
mod call;
mod check;
mod component;
mod diagram;
mod history;
mod minimize;
mod recorded;
mod search;
mod step;
mod transition;
mod unaccepted;
mod undecided;
mod values;
mod violation;

#[cfg(test)]
mod tests;

pub use action::{Action, Alteration, Cell, Expectation, Value};
pub use call::Call;
pub use history::History;
pub use unaccepted::Unaccepted;
pub use undecided::Undecided;
pub use violation::Violation;
