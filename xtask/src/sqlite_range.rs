//! pstate-sqlite accepts a range of rusqlite, because only one crate of a program may link SQLite.
//!
//! Its tests run at the lower end of the range, in a copy, so that neither the workspace's lockfile
//! nor what it has built changes. And for each crate that people use SQLite with, a program that
//! depends on both is resolved, which is where a range that is too narrow fails.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cargo::{Failed, cargo_captured_in, cargo_in, metadata};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What the tests of pstate-sqlite take.
const MEMBERS: [&str; 3] = ["pstate-core", "pstate-sqlite", "pstate-testkit"];

/// What else links SQLite in a program, as it is written in its manifest.
const NEIGHBORS: [(&str, &str); 6] = [
    ("sqlx", r#"{ version = "0.9", default-features = false, features = ["sqlite"] }"#),
    ("sea-orm", r#"{ version = "2", features = ["sqlx-sqlite"] }"#),
    ("toasty", r#"{ version = "0.11", features = ["sqlite"] }"#),
    ("diesel", r#"{ version = "2", features = ["sqlite"] }"#),
    ("tokio-rusqlite", r#""0.8""#),
    ("deadpool-sqlite", r#""0.14""#),
];

pub(crate) fn check() -> Result<(), Failed> {
    let metadata = metadata(false)?;
    let target = metadata["target_directory"].as_str().map(PathBuf::from);
    let target = target.ok_or_else(|| Failed("cargo metadata: no directory".to_owned()))?;
    test_oldest(&oldest(&metadata)?, &target.join("oldest-rusqlite"))?;
    NEIGHBORS
        .iter()
        .try_for_each(|(name, version)| resolve(name, version, &target.join("neighbors")))
}

/// The lower end of the range.
fn oldest(metadata: &Value) -> Result<String, Failed> {
    let named = |list: &Value, name: &str| {
        list.as_array()?.iter().find(|entry| entry["name"] == *name).cloned()
    };
    let range = named(&metadata["packages"], "pstate-sqlite")
        .and_then(|package| named(&package["dependencies"], "rusqlite"))
        .and_then(|dependency| dependency["req"].as_str().map(str::to_owned))
        .unwrap_or_default();
    match range.strip_prefix(">=").and_then(|range| range.split_once(',')) {
        Some((oldest, _)) => Ok(format!("{oldest}.0")),
        None => Err(Failed(format!("rusqlite {range:?} is not a range, as \">=0.1, <0.3\""))),
    }
}

/// Runs the tests of pstate-sqlite with one version of rusqlite, in `copy`.
fn test_oldest(version: &str, copy: &Path) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed(format!("{}: {error}", copy.display()));
    for member in MEMBERS {
        mirror(&Path::new(ROOT).join(member), &copy.join(member)).map_err(failed)?;
    }
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).map_err(failed)?;
    write(&copy.join("Cargo.toml"), workspace_of_members(&manifest)?.as_bytes()).map_err(failed)?;
    fs::copy(format!("{ROOT}/Cargo.lock"), copy.join("Cargo.lock")).map_err(failed)?;
    let pin = ["update", "--quiet", "--package", "rusqlite", "--precise", version];
    if !reached(cargo_captured_in(copy, &pin)?)? {
        return Ok(());
    }
    let test = ["test", "--quiet", "--locked", "--package", "pstate-sqlite", "--lib", "--tests"];
    cargo_in(copy, &copy.join("target"), &test)
}

/// The manifest of a workspace of [`MEMBERS`], with what they inherit.
fn workspace_of_members(manifest: &str) -> Result<String, Failed> {
    let inherited = manifest
        .split_once("[workspace.package]")
        .and_then(|(_, rest)| rest.split_once("\n[package]\n"));
    let (inherited, _) = inherited.ok_or_else(|| {
        Failed("Cargo.toml: no [workspace.package] with [package] after it".to_owned())
    })?;
    Ok(format!(
        "[workspace]\nmembers = {MEMBERS:?}\nresolver = \"3\"\n\n[workspace.package]{inherited}"
    ))
}

/// Makes `copy` a copy of a directory. A file that is the same is not touched, so that cargo builds
/// only what has changed.
fn mirror(directory: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir_all(copy)?;
    for entry in fs::read_dir(copy)? {
        let entry = entry?;
        if !directory.join(entry.file_name()).exists() {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?;
        }
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let target = copy.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &target)?;
        } else {
            write(&target, &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::write(path, bytes)
}

/// Resolves a program that uses pstate-sqlite beside another crate; builds nothing.
fn resolve(name: &str, version: &str, directory: &Path) -> Result<(), Failed> {
    let package = directory.join(name);
    let manifest = format!(
        "[package]\nname = \"beside-{name}\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         pstate = {{ path = {ROOT:?} }}\n{name} = {version}\n"
    );
    let written = fs::create_dir_all(package.join("src"))
        .and_then(|()| fs::write(package.join("Cargo.toml"), manifest))
        .and_then(|()| fs::write(package.join("src/lib.rs"), ""));
    written.map_err(|error| Failed(format!("{}: {error}", package.display())))?;
    if reached(cargo_captured_in(&package, &["generate-lockfile", "--quiet"])?)? {
        println!("pstate resolves beside {name} {version}");
    }
    Ok(())
}

/// Whether the registry was reached. Fails if cargo did for another reason.
fn reached((succeeded, errors): (bool, String)) -> Result<bool, Failed> {
    if succeeded {
        return Ok(true);
    }
    if errors.contains("failed to download from") {
        println!("not checked, because the registry cannot be reached");
        return Ok(false);
    }
    Err(Failed(errors))
}
