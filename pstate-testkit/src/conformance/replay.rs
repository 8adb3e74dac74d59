use std::env;

use super::case::Case;

/// The command that runs one case of this program again; `name` is its full name.
pub(super) fn replay(name: &str, case: &Case, seed: u64) -> String {
    let random = if case.random {
        format!("PSTATE_TESTKIT_SEED={seed} PSTATE_TESTKIT_ROUNDS=1 ")
    } else {
        String::new()
    };
    let package = env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    let program = env::current_exe().ok();
    let stem = program.as_ref().and_then(|path| path.file_stem()).and_then(|stem| stem.to_str());
    // Cargo appends a dash and a hash to the name of the target.
    let target =
        stem.map_or("conformance", |stem| stem.rsplit_once('-').map_or(stem, |(name, _)| name));
    format!("{random}cargo test{package} --test {target} -- --exact {name}")
}
