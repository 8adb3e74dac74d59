use super::{
    bytes, cancel, change_feed, concurrent, durability, errors, expect, extensions, keys,
    lifecycle, maintenance, model, multi_get, scan, spaces, unpolled, write,
};
use crate::conformance::case::Case;

/// All cases. The first one that fails is the most telling: basic areas come first.
pub(in crate::conformance) fn all() -> impl Iterator<Item = &'static Case> {
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
        maintenance::CASES,
        cancel::CASES,
        concurrent::CASES,
        unpolled::CASES,
        model::CASES,
        durability::CASES,
    ]
    .into_iter()
    .flatten()
}
