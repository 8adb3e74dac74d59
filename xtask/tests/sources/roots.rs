//! Files with child modules hold only `mod` and `use`, where the table says so.

use source_checks::layers::{Crate, Table};

use crate::fixture::{WITHOUT_ROOMS, assert_found, found};

const BARE: Table = Table { tiers: &[&[Crate::new("app").bare_roots()]], texts: &[] };

#[test]
fn what_a_root_file_defines_is_found() {
    let files = [
        ("lib.rs", "mod cache;\npub struct Settings;\n"),
        (
            "cache.rs",
            "//! Doc.\nmod flight;\npub use flight::Flight;\n\nstruct Cache;\nimpl Cache {}\n",
        ),
        ("cache/flight.rs", "pub struct Flight;\n"),
    ];
    assert_found(
        &found(&BARE, &files),
        &["app/src/cache.rs:5: a file with child modules holds only `mod` and `use`; \
           this one holds struct Cache, impl"],
    );
    assert_found(&found(&WITHOUT_ROOMS, &files), &[]);
}

#[test]
fn a_child_that_only_tests_have_makes_no_root_file() {
    let files = [
        ("lib.rs", "mod cache;\n"),
        ("cache.rs", "pub struct Cache;\n#[cfg(test)]\nmod tests;\nmod inner {}\n"),
        ("cache/tests.rs", "use super::Cache;\n"),
    ];
    assert_found(&found(&BARE, &files), &[]);
}
