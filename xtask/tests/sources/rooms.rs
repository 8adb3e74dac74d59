//! What points upwards is found, by whatever path; what tests import is not.

use crate::fixture::{WITH_ROOMS, assert_found, found};

const UPWARD: &str = "cache may not import handle";

/// What is found if a file of the room `cache` has this text.
fn in_cache(text: &str) -> Vec<String> {
    with(&[("cache/flight.rs", text)])
}

/// What is found if files of a crate without faults have these texts instead.
fn with(changed: &[(&str, &str)]) -> Vec<String> {
    let sound = [
        ("lib.rs", "mod cache;\nmod handle;\nmod model;\nmod report;\npub use handle::PState;\n"),
        ("model.rs", "pub struct Key;\n"),
        ("cache.rs", "mod flight;\nmod policy;\npub use policy::Policy;\n"),
        ("cache/flight.rs", "use crate::model::Key;\npub(crate) struct Flight(Key);\n"),
        ("cache/policy.rs", "pub struct Policy;\n"),
        ("report.rs", "pub struct Report(crate::model::Key);\n"),
        ("handle.rs", "mod pstate;\npub use pstate::{PState, open};\n"),
        (
            "handle/pstate.rs",
            "use crate::{cache::Policy, report};\npub struct PState(Policy);\npub fn open() {}\n",
        ),
    ];
    let mut files: Vec<(&str, &str)> = sound
        .into_iter()
        .filter(|(path, _)| changed.iter().all(|(other, _)| other != path))
        .collect();
    files.extend(changed);
    found(&WITH_ROOMS, &files)
}

/// One upward import of the room `cache`, at this line, by this path.
#[track_caller]
fn assert_upward(text: &str, line: usize, path: &str) {
    let expected =
        format!("app/src/cache/flight.rs:{line}: {UPWARD} ({path}); cache may use model");
    assert_eq!(in_cache(text), [expected]);
}

#[test]
fn imports_of_rooms_above_pass() {
    assert_found(&with(&[]), &[]);
}

#[test]
fn an_upward_import_is_found() {
    assert_upward(
        "use crate::model::Key;\nuse crate::handle::PState;\n",
        2,
        "crate::handle::PState",
    );
}

#[test]
fn an_upward_import_through_super_is_found() {
    assert_upward("use super::super::handle::PState;\n", 1, "super::super::handle::PState");
}

#[test]
fn an_upward_path_in_code_is_found() {
    let text = "fn open() {\n    let _ = 1;\n    crate::handle::open();\n}\n";
    assert_upward(text, 3, "crate::handle::open");
}

#[test]
fn an_upward_path_in_a_signature_is_found() {
    assert_upward("\nfn open(_: &[crate::handle::PState]) {}\n", 2, "crate::handle::PState");
}

#[test]
fn an_upward_path_in_an_impl_block_is_found() {
    let text = "struct Flight;\nimpl From<super::super::handle::PState> for Flight {}\n";
    assert_upward(text, 2, "super::super::handle::PState");
}

#[test]
fn an_upward_path_in_the_arguments_of_a_macro_is_found() {
    let text = "fn open() {\n    println!(\n        \"{}\",\n        [crate::handle::open()],\n    );\n}\n";
    assert_upward(text, 4, "crate::handle::open");
}

#[test]
fn an_upward_use_item_in_the_arguments_of_a_macro_is_found() {
    let text = "wrap! {\n    use crate::{model::Key, handle::{PState}};\n}\n";
    assert_upward(text, 2, "crate::handle::PState");
}

#[test]
fn an_upward_path_in_the_definition_of_a_macro_is_found() {
    let text = "macro_rules! opened {\n    () => {\n        $crate::handle::open()\n    };\n}\n";
    assert_upward(text, 3, "crate::handle::open");
}

#[test]
fn an_upward_import_through_the_root_is_found() {
    assert_upward("use crate::PState;\n", 1, "crate::PState");
}

#[test]
fn an_upward_import_through_a_room_above_is_found() {
    let model = "pub struct Key;\npub use crate::handle::PState;\n";
    let found = with(&[
        ("model.rs", model),
        ("report.rs", ""),
        ("cache/flight.rs", "use crate::model::PState;\n"),
    ]);
    assert_found(
        &found,
        &[
            "app/src/cache/flight.rs:1: cache may not import handle (crate::model::PState); \
             cache may use model",
            "app/src/model.rs:2: model may not import handle (crate::handle::PState); \
             model may use nothing",
        ],
    );
}

#[test]
fn what_the_root_file_of_a_room_passes_on_from_another_room_is_found() {
    let text = "mod flight;\nmod policy;\npub use policy::Policy;\npub(crate) use crate::handle::PState;\n";
    assert_found(
        &with(&[("cache.rs", text)]),
        &["app/src/cache.rs:4: cache may not import handle (crate::handle::PState); \
           cache may use model"],
    );
}

#[test]
fn each_upward_import_of_a_nested_group_is_found_on_its_line() {
    let text = "use crate::{\n    model::Key,\n    handle::{\n        self,\n        PState as Handle,\n    },\n};\n";
    let upward = |line: usize, path: &str| {
        format!("app/src/cache/flight.rs:{line}: {UPWARD} ({path}); cache may use model")
    };
    assert_eq!(in_cache(text), [upward(4, "crate::handle"), upward(5, "crate::handle::PState")]);
}

#[test]
fn imports_of_one_line_are_one_finding() {
    let text = "use crate::handle::{PState, open};\n";
    assert_upward(text, 1, "crate::handle::PState, crate::handle::open");
}

#[test]
fn an_upward_glob_is_found() {
    assert_upward("use crate::handle::*;\n", 1, "crate::handle::*");
}

#[test]
fn an_upward_name_that_a_glob_brings_is_found() {
    let text = "use crate::*;\nfn open(_: PState) {}\n";
    let found = in_cache(text);
    assert_found(
        &found,
        &[
            "app/src/cache/flight.rs:1: cache may not import the crate's root (crate::*); \
             cache may use model",
            "app/src/cache/flight.rs:2: cache may not import handle (crate::PState); \
             cache may use model",
        ],
    );
}

#[test]
fn an_upward_import_in_a_function_is_found() {
    let text = "fn open() {\n    use crate::handle::open;\n    open();\n}\n";
    assert_upward(text, 2, "crate::handle::open");
}

#[test]
fn what_an_imported_module_is_asked_for_is_found_once() {
    let text = "use crate::handle;\nfn open(_: handle::PState) {\n    handle::open();\n}\n";
    assert_upward(text, 1, "crate::handle");
}

#[test]
fn an_upward_import_in_an_inline_module_is_found() {
    let text = "mod inner {\n    use super::super::super::handle::PState;\n}\n";
    assert_upward(text, 2, "super::super::super::handle::PState");
}

#[test]
fn what_only_tests_import_passes() {
    for condition in ["test", "all(test, feature = \"slow\")", "any(test, all(unix, test))"] {
        let text = format!(
            "#[cfg({condition})]\nuse crate::handle::open;\n\
             #[cfg({condition})]\nmod tests {{\n    use crate::handle::PState;\n}}\n\
             #[cfg({condition})]\nfn open(_: crate::handle::PState) {{}}\n\
             struct Flight {{\n    #[cfg({condition})]\n    owner: crate::handle::PState,\n}}\n\
             impl Flight {{\n    #[cfg({condition})]\n    fn open(_: crate::handle::PState) {{}}\n}}\n"
        );
        assert_found(&in_cache(&text), &[]);
    }
}

#[test]
fn what_tests_and_others_import_is_found() {
    for condition in ["not(test)", "any(test, unix)", "feature = \"test\""] {
        let text = format!("#[cfg({condition})]\nuse crate::handle::PState;\n");
        assert_upward(&text, 2, "crate::handle::PState");
    }
}

#[test]
fn comments_attributes_and_visibilities_import_nothing() {
    let text = "//! [`crate::handle::PState`]\n\
                // crate::handle::open();\n\
                #[serde(with = \"crate::handle::open\")]\n\
                pub(in crate::cache) struct Flight;\n\
                define! { pub(in crate::handle) struct Other; }\n";
    assert_found(&in_cache(text), &[]);
}

#[test]
fn paths_of_other_crates_are_no_imports() {
    let text = "use ::handle::PState;\nuse other::handle::open;\n\
                fn open() {\n    ::handle::open();\n    other::crate_handle::open();\n}\n";
    assert_found(&in_cache(text), &[]);
}

#[test]
fn a_narrower_list_is_held() {
    assert_found(
        &with(&[("report.rs", "pub struct Report;\nuse crate::cache::Policy;\n")]),
        &["app/src/report.rs:2: report may not import cache (crate::cache::Policy); \
           report may use model"],
    );
}

#[test]
fn what_the_root_defines_is_not_for_rooms() {
    let root = "mod cache;\nmod handle;\nmod model;\nmod report;\npub struct Settings;\n";
    let found = with(&[("lib.rs", root), ("cache/flight.rs", "use crate::Settings;\n")]);
    assert_found(
        &found,
        &["app/src/cache/flight.rs:1: cache may not import the crate's root (crate::Settings); \
           cache may use model"],
    );
}

#[test]
fn a_room_that_the_table_does_not_list_is_found() {
    let root = "mod cache;\nmod handle;\nmod model;\nmod report;\nmod extra;\n";
    assert_found(
        &with(&[("lib.rs", root), ("extra.rs", "")]),
        &["app/src/lib.rs:5: the table of layers has no room extra for app"],
    );
}

#[test]
fn a_room_that_only_the_table_lists_is_found() {
    let root = "mod cache;\nmod handle;\nmod model;\n";
    let files = [("lib.rs", root), ("handle/pstate.rs", ""), ("report.rs", "")];
    assert_found(
        &with(&files),
        &[
            "app/src/lib.rs:1: app has no module report, which the table of layers lists",
            "app/src/report.rs:1: no module of its crate has this file",
        ],
    );
}
