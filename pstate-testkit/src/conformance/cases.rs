//! All cases.

mod bytes;
mod cancel;
mod change_feed;
mod concurrent;
mod durability;
mod errors;
mod expect;
mod extensions;
mod keys;
mod lifecycle;
mod model;
mod multi_get;
mod scan;
mod spaces;
mod write;

use super::case::Case;

/// The cases in an order in which the first that fails tells most.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    [
        multi_get::CASES,
        write::CASES,
        expect::CASES,
        scan::CASES,
        spaces::CASES,
        keys::CASES,
        bytes::CASES,
        lifecycle::CASES,
        errors::CASES,
        extensions::CASES,
        change_feed::CASES,
        cancel::CASES,
        concurrent::CASES,
        model::CASES,
        durability::CASES,
    ]
    .into_iter()
    .flatten()
}
