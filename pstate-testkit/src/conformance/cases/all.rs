use std::sync::LazyLock;

use super::{
    batch, bytes, cancel, change_feed, closing, concurrent, durability, errors, expect, extensions,
    keys, lifecycle, maintenance, many, matrix, model, multi_get, names, race, scan, spaces,
    through, unpolled, values, write,
};
use crate::conformance::case::Case;

/// All cases. The first one that fails is the most telling: basic areas come first.
pub(in crate::conformance) fn all() -> &'static [Case] {
    static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
        [
            multi_get::cases(),
            write::cases(),
            batch::cases(),
            expect::cases(),
            scan::cases(),
            spaces::cases(),
            keys::cases(),
            bytes::cases(),
            lifecycle::cases(),
            errors::cases(),
            extensions::cases(),
            change_feed::cases(),
            maintenance::cases(),
            values::cases(),
            many::cases(),
            through::cases(),
            matrix::cases(),
            names::cases(),
            race::cases(),
            closing::cases(),
            cancel::cases(),
            cancel::sized(),
            concurrent::cases(),
            concurrent::sized(),
            unpolled::cases(),
            model::cases(),
            durability::cases(),
        ]
        .concat()
    });
    &ALL
}
