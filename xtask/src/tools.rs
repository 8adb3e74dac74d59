//! Programs that are no part of Rust, and where they come from.

use std::process::Command;

use crate::cargo::Failed;

/// Makes sure that a program is there, by installing the Debian package that brings it where that
/// is possible: as root, with apt-get.
///
/// # Errors
/// If it is not there afterwards: with the one command that installs it.
pub(crate) fn require(program: &str, package: &str) -> Result<(), Failed> {
    if is_there(program) {
        return Ok(());
    }
    let by_hand = format!("sudo apt-get install {package}");
    if !is_there("apt-get") || !is_root() {
        return Err(Failed(format!("{program} is missing; this installs it: {by_hand}")));
    }
    let install = ["install", "--yes", "--no-install-recommends", package];
    // The lists of packages may be missing, or too old.
    if !apt_get(&install) {
        apt_get(&["update"]);
        apt_get(&install);
    }
    if is_there(program) {
        return Ok(());
    }
    Err(Failed(format!("{program} could not be installed; try: {by_hand}")))
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> bool {
    println!("$ apt-get {}", arguments.join(" "));
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.output().is_ok_and(|output| output.status.success())
}
