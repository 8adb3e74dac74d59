//! Rings of files are found with each of their imports; what only looks like one is not.

use source_checks::Sources;
use source_checks::layers::{Target, read};

use crate::fixture::{WITHOUT_ROOMS, app, assert_found, found};

#[test]
fn a_ring_of_two_is_found() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod key;\nmod error;\n"),
            ("key.rs", "\nuse crate::error::Error;\npub struct Key;\n"),
            ("error.rs", "pub struct Error {\n    key: crate::key::Key,\n}\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/error.rs:2: a ring of 2 files: app/src/error.rs, app/src/key.rs\n    \
           app/src/error.rs:2 uses app/src/key.rs: crate::key::Key\n    \
           app/src/key.rs:2 uses app/src/error.rs: crate::error::Error"],
    );
}

#[test]
fn a_ring_of_three_is_found_without_the_files_beside_it() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod a;\nmod b;\nmod c;\nmod above;\nmod below;\n"),
            ("a.rs", "use crate::b::{B, other};\npub struct A;\nuse crate::below::Below;\n"),
            ("b.rs", "use super::c;\npub struct B;\npub fn other(_: c::C) {}\n"),
            ("c.rs", "pub struct C;\n\n\nfn turn(_: crate::a::A) {}\n"),
            ("above.rs", "use crate::{a::A, b::B};\n"),
            ("below.rs", "pub struct Below;\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/a.rs:1: a ring of 3 files: app/src/a.rs, app/src/b.rs, app/src/c.rs\n    \
           app/src/a.rs:1 uses app/src/b.rs: crate::b::B, crate::b::other\n    \
           app/src/b.rs:1 uses app/src/c.rs: c::C, super::c\n    \
           app/src/c.rs:4 uses app/src/a.rs: crate::a::A"],
    );
}

#[test]
fn a_ring_of_a_module_and_its_child_is_found() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod sweep;\n"),
            ("sweep.rs", "mod task;\nuse task::Task;\npub struct Sweep(Task);\n"),
            ("sweep/task.rs", "use super::Sweep;\npub struct Task;\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/sweep.rs:2: a ring of 2 files: app/src/sweep.rs, app/src/sweep/task.rs\n    \
           app/src/sweep.rs:2 uses app/src/sweep/task.rs: task::Task\n    \
           app/src/sweep/task.rs:1 uses app/src/sweep.rs: super::Sweep"],
    );
}

#[test]
fn a_module_that_calls_its_child_makes_a_ring_too() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod sweep;\n"),
            ("sweep.rs", "mod task;\npub struct Sweep;\n\nfn run() {\n    task::run();\n}\n"),
            ("sweep/task.rs", "pub(super) fn run(_: super::Sweep) {}\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/sweep.rs:5: a ring of 2 files: app/src/sweep.rs, app/src/sweep/task.rs\n    \
           app/src/sweep.rs:5 uses app/src/sweep/task.rs: task::run\n    \
           app/src/sweep/task.rs:1 uses app/src/sweep.rs: super::Sweep"],
    );
}

#[test]
fn a_root_file_that_only_passes_on_is_no_part_of_a_ring() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod sweep;\npub use sweep::{Sweep, Task};\n"),
            ("sweep.rs", "mod sweeper;\nmod task;\npub use self::{sweeper::Sweep, task::*};\n"),
            ("sweep/sweeper.rs", "use crate::Task;\npub struct Sweep(super::Task);\n"),
            ("sweep/task.rs", "pub struct Task;\n"),
        ],
    );
    assert_found(&found, &[]);
}

#[test]
fn a_ring_through_a_root_file_that_passes_on_is_found() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod sweep;\npub use sweep::{Sweep, Task};\n"),
            ("sweep.rs", "mod sweeper;\nmod task;\npub use self::{sweeper::Sweep, task::*};\n"),
            ("sweep/sweeper.rs", "pub struct Sweep(super::Task);\n"),
            ("sweep/task.rs", "use crate::Sweep as Owner;\npub struct Task;\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/sweep/sweeper.rs:1: a ring of 2 files: \
           app/src/sweep/sweeper.rs, app/src/sweep/task.rs\n    \
           app/src/sweep/sweeper.rs:1 uses app/src/sweep/task.rs: super::Task\n    \
           app/src/sweep/task.rs:1 uses app/src/sweep/sweeper.rs: crate::Sweep"],
    );
}

#[test]
fn a_ring_through_impl_blocks_of_one_type_is_found() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod engine;\nmod store;\n"),
            (
                "engine.rs",
                "pub struct Engine;\nimpl Engine {\n    pub fn load(&self) {\n        \
                 select!(() = self.store() => ());\n        self.own();\n    }\n    \
                 fn own(&self) {}\n}\n",
            ),
            (
                "store.rs",
                "use crate::engine::Engine;\nimpl Engine {\n    pub fn store(&self) {}\n}\n",
            ),
        ],
    );
    assert_found(
        &found,
        &["app/src/engine.rs:4: a ring of 2 files: app/src/engine.rs, app/src/store.rs\n    \
           app/src/engine.rs:4 uses app/src/store.rs: Engine::store\n    \
           app/src/store.rs:1 uses app/src/engine.rs: crate::engine::Engine"],
    );
}

#[test]
fn what_tests_import_makes_no_ring() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::B;\npub struct A;\n#[cfg(test)]\nmod tests;\n"),
            ("a/tests.rs", "use super::A;\nuse crate::b::B;\n"),
            ("b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
        ],
    );
    assert_found(&found, &[]);
}

#[test]
fn each_meaning_of_a_name_counts() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod runtime;\nmod clock;\n"),
            (
                "runtime.rs",
                "#[cfg(feature = \"model\")]\nmod model;\n#[cfg(not(feature = \"model\"))]\n\
                 mod tokio;\n#[cfg(feature = \"model\")]\npub use model::now;\n\
                 #[cfg(not(feature = \"model\"))]\npub use tokio::now;\n",
            ),
            ("runtime/model.rs", "pub fn now() -> crate::clock::Time {}\n"),
            ("runtime/tokio.rs", "pub fn now() {}\n"),
            ("clock.rs", "pub struct Time;\nuse crate::runtime::now;\n"),
        ],
    );
    assert_found(
        &found,
        &[
            "app/src/clock.rs:2: a ring of 2 files: app/src/clock.rs, app/src/runtime/model.rs\n    \
           app/src/clock.rs:2 uses app/src/runtime/model.rs: crate::runtime::now\n    \
           app/src/runtime/model.rs:1 uses app/src/clock.rs: crate::clock::Time",
        ],
    );
}

#[test]
fn a_macro_for_other_crates_is_in_the_file_that_defines_it() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod checks;\nmod suite;\n"),
            (
                "checks.rs",
                "#[macro_export]\nmacro_rules! check {\n    () => { $crate::suite::run() };\n}\n",
            ),
            ("suite.rs", "pub fn run() {\n    crate::check!();\n}\n"),
        ],
    );
    assert_found(
        &found,
        &["app/src/checks.rs:3: a ring of 2 files: app/src/checks.rs, app/src/suite.rs\n    \
           app/src/checks.rs:3 uses app/src/suite.rs: crate::suite::run\n    \
           app/src/suite.rs:2 uses app/src/checks.rs: crate::check"],
    );
}

#[test]
fn re_exports_in_a_circle_end() {
    let found = found(
        &WITHOUT_ROOMS,
        &[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "pub use crate::b::*;\npub use crate::b::Other;\n"),
            ("b.rs", "pub use crate::a::*;\npub use crate::a::Other;\nfn own(_: Other) {}\n"),
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("app/src/a.rs:1: a ring of 2 files"), "{found:?}");
}

#[test]
fn a_program_is_a_tree_of_its_own() {
    let sources = Sources::of(&[
        ("app/src/lib.rs", "pub struct Library;\n"),
        ("app/src/main.rs", "mod child;\nuse app::Library;\nfn main() {\n    child::run();\n}\n"),
        ("app/src/child.rs", "use crate::main;\npub(crate) fn run() {}\n"),
    ]);
    let mut package = app();
    package.targets.push(Target { root: "app/src/main.rs".to_owned(), library: false });
    let findings = read(&WITHOUT_ROOMS, &[package], &sources).findings;
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_found(
        &findings,
        &["app/src/child.rs:1: a ring of 2 files: app/src/child.rs, app/src/main.rs\n    \
           app/src/child.rs:1 uses app/src/main.rs: crate::main\n    \
           app/src/main.rs:4 uses app/src/child.rs: child::run"],
    );
}

#[test]
fn a_file_that_no_module_has_is_found() {
    let files = [("lib.rs", "mod a;\n"), ("a/mod.rs", "mod b;\n"), ("a/b.rs", ""), ("c.rs", "")];
    assert_found(
        &found(&WITHOUT_ROOMS, &files),
        &["app/src/c.rs:1: no module of its crate has this file"],
    );
}

#[test]
fn a_module_that_has_no_file_is_found() {
    assert_found(
        &found(&WITHOUT_ROOMS, &[("lib.rs", "\nmod a;\n")]),
        &["app/src/lib.rs:2: module a has no file"],
    );
}

#[test]
fn a_file_that_is_no_rust_is_found() {
    let found = found(&WITHOUT_ROOMS, &[("lib.rs", "mod a;\n"), ("a.rs", "\nstruct;\n")]);
    assert!(found[0].starts_with("app/src/a.rs:2: expected identifier"), "{found:?}");
}
