//! Calling cargo.

use std::env;
use std::process::Command;

use serde_json::Value;

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

fn command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}
