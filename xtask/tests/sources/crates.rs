//! Manifests follow the table of crates.

use source_checks::Sources;
use source_checks::layers::{Crate, Dependency, Package, Table, read};

use crate::fixture::assert_found;

const TABLE: Table = Table {
    tiers: &[
        &[Crate::new("core")],
        &[Crate::new("disk"), Crate::new("testkit")],
        &[Crate::new("facade")],
        &[Crate::new("tools").only(&[])],
    ],
    texts: &[],
};

/// What is found if these packages have these dependencies: name and whether only tests have it.
fn found(packages: &[(&str, &[(&str, bool)])], sources: &Sources) -> Vec<String> {
    let packages: Vec<Package> = packages
        .iter()
        .map(|(name, dependencies)| Package {
            name: (*name).to_owned(),
            directory: (*name).to_owned(),
            targets: Vec::new(),
            dependencies: dependencies
                .iter()
                .map(|(name, dev)| Dependency { name: (*name).to_owned(), dev: *dev })
                .collect(),
        })
        .collect();
    read(&TABLE, &packages, sources).findings.iter().map(ToString::to_string).collect()
}

#[test]
fn dependencies_on_lower_tiers_pass_and_in_tests_on_the_same() {
    let packages: [(&str, &[(&str, bool)]); 5] = [
        ("core", &[("serde", false)]),
        ("disk", &[("core", false), ("testkit", true)]),
        ("testkit", &[("core", false)]),
        ("facade", &[("core", false), ("disk", false), ("testkit", true)]),
        ("tools", &[]),
    ];
    assert_found(&found(&packages, &Sources::default()), &[]);
}

#[test]
fn dependencies_that_point_upwards_or_sideways_are_found_on_their_line() {
    let sources = Sources::of(&[
        (
            "core/Cargo.toml",
            "[package]\nname = \"core\"\n\n[dev-dependencies]\nfacade.workspace = true\n",
        ),
        (
            "disk/Cargo.toml",
            "[dev-dependencies]\ntestkit = \"1\"\n[dependencies]\nkit = { package = \"testkit\" }\n",
        ),
        ("tools/Cargo.toml", "[target.'cfg(unix)'.dependencies.core]\nworkspace = true\n"),
    ]);
    let packages: [(&str, &[(&str, bool)]); 5] = [
        ("core", &[("facade", true)]),
        ("disk", &[("testkit", false)]),
        ("testkit", &[]),
        ("facade", &[]),
        ("tools", &[("core", false)]),
    ];
    assert_found(
        &found(&packages, &sources),
        &[
            "core/Cargo.toml:5: core may not depend on facade; its tests may depend on nothing",
            "disk/Cargo.toml:4: disk may not depend on testkit; it may depend on core",
            "tools/Cargo.toml:1: tools may not depend on core; it may depend on nothing",
        ],
    );
}

#[test]
fn packages_and_table_name_the_same() {
    let packages: [(&str, &[(&str, bool)]); 5] =
        [("core", &[]), ("disk", &[]), ("testkit", &[]), ("facade", &[]), ("new", &[])];
    assert_found(
        &found(&packages, &Sources::default()),
        &[
            "Cargo.toml:1: the workspace has no package tools, which the table of layers lists",
            "new/Cargo.toml:1: the table of layers does not list new",
        ],
    );
}
