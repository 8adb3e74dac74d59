//! How many instructions the most frequent work takes.
//!
//! Unlike times, instructions are the same on a busy machine. Callgrind counts them in functions of
//! the binary `instructions` of `pstate-benches`, which is built without any backend but the
//! memory.

use std::process::Command;

use crate::cargo::{Failed, cargo, target_directory};
use crate::tools;

/// How often the binary does each piece of work.
const TIMES: u64 = 1_000;

/// For each piece of work the most instructions that one may take: what it took when this was last
/// set, on x86-64 with Rust 1.95, and about a tenth.
const BOUNDS: [(&str, u64); 6] = [
    ("get_warm", 430),
    ("get_warm_typed", 495),
    ("get_cold", 14_400),
    ("plan_preload", 17_500),
    ("preload_cached", 210_000),
    ("migrate", 49_000),
];

pub(crate) fn check() -> Result<(), Failed> {
    tools::require("valgrind", "valgrind")?;
    let build = ["build", "--locked", "--release", "--package", "pstate-benches"];
    cargo(build.into_iter().chain(["--no-default-features", "--bin", "instructions"]))?;
    let binary = format!("{}/release/instructions", target_directory()?);
    println!("{:<16}{:>14}{:>10}", "work", "instructions", "at most");
    let mut above = Vec::new();
    for (work, bound) in BOUNDS {
        let counted = count(&binary, work)? / TIMES;
        println!("{work:<16}{counted:>14}{bound:>10}");
        if counted > bound {
            above.push(format!("{work}: {counted} instructions, at most {bound} are allowed"));
        }
    }
    if above.is_empty() { Ok(()) } else { Err(Failed(above.join("; "))) }
}

fn count(binary: &str, work: &str) -> Result<u64, Failed> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*::measured_*")
        .args([binary, work])
        .output()
        .map_err(|error| Failed(format!("valgrind: {error}")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let counted = report.lines().find_map(|line| line.split_once("Collected : "));
    let counted = counted.and_then(|(_, number)| number.trim().parse().ok());
    match counted {
        Some(counted) if output.status.success() && counted > 0 => Ok(counted),
        _ => Err(Failed(format!("{work}: callgrind has counted nothing:\n{report}"))),
    }
}
