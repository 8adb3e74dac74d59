//! Calling cargo.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The environment variable with the level of the conformance suite. Unless it is set, the cases
/// that take long run only where a command asks for them.
pub(crate) const SUITE_LEVEL: &str = "PSTATE_TESTKIT_LEVEL";

/// Why a command ended.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

/// Runs cargo in the workspace's root; its output is shown.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), Failed> {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let shown = format!("cargo {}", arguments.join(" "));
    println!("$ {shown}");
    let status = command().args(&arguments).status();
    let status = status.map_err(|error| Failed(format!("{shown}: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("{shown}: {status}"))) }
}

/// Runs cargo in the workspace's root with some environment; its output is shown and given, and
/// whether it succeeded.
pub(crate) fn cargo_captured(
    environment: &[(&str, String)],
    arguments: &[&str],
) -> Result<(bool, String), Failed> {
    let shown = format!("cargo {}", arguments.join(" "));
    let failed = |error: io::Error| Failed(format!("{shown}: {error}"));
    println!("$ {shown}");
    let mut command = command();
    command.args(arguments).stdout(Stdio::piped());
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut child = command.spawn().map_err(failed)?;
    let mut output = String::new();
    for line in child.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
        let line = line.map_err(failed)?;
        println!("{line}");
        output += &line;
        output.push('\n');
    }
    let status = child.wait().map_err(failed)?;
    Ok((status.success(), output))
}

/// Runs cargo for a crate that is no member of the workspace, with the workspace's own directory
/// for what it builds.
pub(crate) fn cargo_outside(directory: &str, arguments: &[&str]) -> Result<(), Failed> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo_in(&root.join(directory), &root.join("target"), arguments)
}

/// Runs cargo in a directory, with another one for what it builds; its output is shown.
pub(crate) fn cargo_in(directory: &Path, target: &Path, arguments: &[&str]) -> Result<(), Failed> {
    let shown = format!("cargo {} in {}", arguments.join(" "), directory.display());
    println!("$ {shown}");
    let mut command = command();
    command.args(arguments).current_dir(directory).env("CARGO_TARGET_DIR", target);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failed(format!("{shown}: {status}"))),
        Err(error) => Err(Failed(format!("{shown}: {error}"))),
    }
}

/// Runs cargo in a directory; gives whether it succeeded, and its messages.
pub(crate) fn cargo_captured_in(
    directory: &Path,
    arguments: &[&str],
) -> Result<(bool, String), Failed> {
    let shown = format!("cargo {} in {}", arguments.join(" "), directory.display());
    println!("$ {shown}");
    let output = command().args(arguments).current_dir(directory).output();
    let output = output.map_err(|error| Failed(format!("{shown}: {error}")))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), format!("{shown}:\n{messages}")))
}

/// What cargo knows about the workspace; of all its dependencies too with `deps`.
pub(crate) fn metadata(deps: bool) -> Result<Value, Failed> {
    let mut command = command();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    if !deps {
        command.arg("--no-deps");
    }
    let output = command.output().map_err(|error| Failed(format!("cargo metadata: {error}")))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failed(format!("cargo metadata: {why}")));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failed(format!("cargo metadata: {error}")))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<String, Failed> {
    let metadata = metadata(false)?;
    let directory = metadata["target_directory"].as_str();
    directory.map(str::to_owned).ok_or_else(|| Failed("cargo metadata: no directory".to_owned()))
}

fn command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.env(SUITE_LEVEL, env::var_os(SUITE_LEVEL).unwrap_or_else(|| "quick".into()));
    command
}
