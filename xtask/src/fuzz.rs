//! libFuzzer on the targets of the package `pstate-fuzz`.
//!
//! On stable: the instrumentation is a pass of LLVM, which `-Cpasses` adds. Sanitizers are not
//! used, as they need a nightly compiler and there is no unsafe code of ours to check.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::cargo::{Failed, cargo_captured, target_directory};
use crate::tools;

#[derive(Args)]
pub(crate) struct Fuzz {
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// What to run; all of them if none is named.
    #[arg(long)]
    target: Vec<String>,
    /// Only run the target on this input, as a finding tells.
    #[arg(long, requires = "target")]
    replay: Option<String>,
}

/// How long an input may take, in seconds.
const TIMEOUT: u32 = 10;

/// How much memory an input may take, in MiB.
const MEMORY: u32 = 2_048;

/// Coverage of edges, with what is compared.
const INSTRUMENTATION: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // The pass does not know that units of one crate are compiled apart.
    "-Ccodegen-units=1",
];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

pub(crate) fn run(fuzz: &Fuzz) -> Result<(), Failed> {
    let all = targets()?;
    if let Some(unknown) = fuzz.target.iter().find(|target| !all.contains(target)) {
        return Err(Failed(format!("no target is named {unknown}; there are {}", all.join(", "))));
    }
    let targets = if fuzz.target.is_empty() { all } else { fuzz.target.clone() };
    let fuzzer = build()?;
    if let Some(input) = &fuzz.replay {
        return targets.iter().try_for_each(|target| replay(&fuzzer, target, input));
    }
    let mut findings = Vec::new();
    for target in &targets {
        findings.extend(run_one(&fuzzer, target, fuzz.seconds)?);
    }
    if findings.is_empty() {
        return Ok(());
    }
    let replays: Vec<_> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    Err(Failed(format!("{} findings; replay with{}", findings.len(), replays.concat())))
}

/// All of them for a moment, as a part of the tests.
pub(crate) fn run_briefly() -> Result<(), Failed> {
    run(&Fuzz { seconds: 3, target: Vec::new(), replay: None })
}

/// The names of the targets: each has a directory of seeds, which a test ensures.
fn targets() -> Result<Vec<String>, Failed> {
    let corpus = format!("{ROOT}/fuzz/corpus");
    let failed = |error| Failed(format!("{corpus}: {error}"));
    let mut names = Vec::new();
    for entry in fs::read_dir(&corpus).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds the fuzzer, and returns its path.
fn build() -> Result<String, Failed> {
    tools::require("c++", "g++")?;
    let host = host()?;
    let directory = format!("{}/fuzz", target_directory()?);
    // With a target that is named, the flags are not those of build scripts and macros.
    let arguments = [
        "build",
        "--quiet",
        "--locked",
        "--package",
        "pstate-fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        "fuzz",
        "--profile",
        "fuzz",
        "--target",
        &host,
        "--target-dir",
        &directory,
    ];
    let flags = [("RUSTFLAGS", INSTRUMENTATION.join(" "))];
    let (built, _) = cargo_captured(&flags, &arguments)?;
    if built {
        Ok(format!("{directory}/{host}/fuzz/fuzz"))
    } else {
        Err(Failed("the fuzzer does not build".to_owned()))
    }
}

/// The triple of this machine.
fn host() -> Result<String, Failed> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| Failed(format!("rustc -vV: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failed("rustc -vV names no host".to_owned()))
}

fn command(fuzzer: &str, target: &str) -> Command {
    let mut command = Command::new(fuzzer);
    command.current_dir(ROOT).env("PSTATE_FUZZ_TARGET", target);
    command.args([format!("-timeout={TIMEOUT}"), format!("-rss_limit_mb={MEMORY}")]);
    command
}

/// Runs a target for some time, says what came of it, and returns the commands that show its
/// findings again.
fn run_one(fuzzer: &str, target: &str, seconds: u32) -> Result<Vec<String>, Failed> {
    // What is found worth keeping goes into the first directory; the seeds stay as they are.
    let learned = format!("{}/fuzz/corpus/{target}", target_directory()?);
    let findings = format!("fuzz/findings/{target}/");
    for directory in [&learned, &format!("{ROOT}/{findings}")] {
        fs::create_dir_all(directory).map_err(|error| Failed(format!("{directory}: {error}")))?;
    }
    let output = command(fuzzer, target)
        .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={findings}")])
        .args(["-print_final_stats=1", &learned, &format!("fuzz/corpus/{target}")])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed(format!("{fuzzer}: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim)
    };
    let (runs, kept) = (count("stat::number_of_executed_units:"), count("stat::new_units_added:"));
    let found: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("Test unit written to ").map(|(_, file)| file.trim()))
        .collect();
    println!("{target}: {runs} runs, {kept} inputs kept, {} findings", found.len());
    if output.status.success() {
        return Ok(Vec::new());
    }
    print!("{said}");
    if found.is_empty() {
        return Err(Failed(format!("the target {target} ended: {}", output.status)));
    }
    let replay = |file: &&str| format!("cargo xtask fuzz --target {target} --replay {file}");
    Ok(found.iter().map(replay).collect())
}

fn replay(fuzzer: &str, target: &str, input: &str) -> Result<(), Failed> {
    if !Path::new(ROOT).join(input).is_file() {
        return Err(Failed(format!("{input} is no file")));
    }
    let status = command(fuzzer, target).arg(input).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failed(format!("{target} fails on {input}: {status}"))),
        Err(error) => Err(Failed(format!("{fuzzer}: {error}"))),
    }
}
