//! Does the stated minimum Rust version hold?
//!
//! What our own code uses of the standard library is checked by clippy's `incompatible_msrv`; here
//! it is what our dependencies ask for, and, where that toolchain is installed, a build with it.

use std::process::Command;

use serde_json::Value;

use crate::cargo::{Failed, metadata};

pub(crate) fn check() -> Result<(), Failed> {
    let metadata = metadata(true)?;
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let stated = packages
        .iter()
        .find(|package| package["name"] == "pstate")
        .and_then(|package| package["rust_version"].as_str())
        .ok_or_else(|| Failed("the package pstate states no rust-version".to_owned()))?;
    let newer: Vec<String> = packages
        .iter()
        .filter_map(|package| Some((package, package["rust_version"].as_str()?)))
        .filter(|(_, needs)| version(needs) > version(stated))
        .map(|(package, needs)| format!("{} needs {needs}", package["name"]))
        .collect();
    if !newer.is_empty() {
        return Err(Failed(format!("rust-version is {stated}, but {}", newer.join(", "))));
    }
    println!("no dependency needs more than Rust {stated}");

    let toolchains = Command::new("rustup").args(["toolchain", "list"]).output();
    let installed = toolchains.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).contains(&format!("{stated}."))
    });
    if installed {
        let check = ["cargo", "check", "--workspace", "--target-dir", "target/msrv"];
        let status = Command::new("rustup").args(["run", stated]).args(check).status();
        return match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(Failed(format!("it does not build with Rust {stated}"))),
        };
    }
    println!("not built with it, because it is not installed: rustup toolchain install {stated}");
    Ok(())
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap_or(0)).chain([0, 0]).take(3).collect()
}
