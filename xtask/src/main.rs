//! The project's own commands: `cargo xtask --help`.

mod bench;
mod cargo;
mod features;
mod fuzz;
mod instructions;
mod lint;
mod monitoring;
mod msrv;
mod mutants;
mod own_sources;
mod soak;
mod sqlite_range;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cargo::{Failed, cargo, cargo_captured, cargo_outside};
use crate::features::ADDITIVE;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything that must pass: the example, the documentation's examples, all tests.
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Measures PState beside the same work done by hand, or something else; --help lists the
    /// suites.
    Bench(bench::Bench),
    /// Counts the instructions of the most frequent work, and fails if they have become more.
    Instructions(instructions::Instructions),
    /// Runs everything random for longer; fails with the command that shows it again.
    Soak(soak::Soak),
    /// Runs the fuzz targets; findings are kept in fuzz/findings.
    Fuzz(fuzz::Fuzz),
    /// Breaks the SQLite adapter in one place after the other, and says which case of the
    /// conformance suite finds it.
    Mutants(mutants::Mutants),
    /// Checks layers, texts, formatting, lints and documentation.
    Lint,
    /// Shows what each layer may import and what it imports; fails if that points upwards.
    Layers {
        /// Updates the list in ARCHITECTURE.md.
        #[arg(long)]
        write: bool,
    },
    /// Tests alert rules and dashboard by promtool, against what the example has exposed.
    Monitoring(monitoring::Monitoring),
    /// Builds each feature of each package alone.
    Features,
    /// Tests pstate-sqlite with the oldest rusqlite that it accepts, and resolves programs that use
    /// SQLite through another crate, too.
    SqliteRange,
    /// Checks that the stated minimum Rust version holds.
    Msrv,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test { filter } => test(filter.as_deref()),
        Command::Bench(bench) => bench.run(),
        Command::Instructions(instructions) => instructions.run(),
        Command::Soak(soak) => soak::run(&soak),
        Command::Fuzz(fuzz) => fuzz::run(&fuzz),
        Command::Mutants(mutants) => mutants.run(),
        Command::Lint => lint::check(),
        Command::Layers { write } => own_sources::show(write),
        Command::Monitoring(monitoring) => monitoring::run(&monitoring),
        Command::Features => features::check_each_alone(),
        Command::SqliteRange => sqlite_range::check(),
        Command::Msrv => msrv::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// How often a process is killed while it writes, for each durable store in files.
const KILLS: u32 = 200;

fn test(filter: Option<&str>) -> Result<(), Failed> {
    tools::require("redis-server", "redis-server")?;
    if let Some(filter) = filter {
        return cargo(["test", "--workspace", "--features", ADDITIVE, filter]);
    }
    cargo(["run", "--quiet", "--example", "flashcards"])?;
    cargo(["test", "--workspace", "--features", ADDITIVE, "--doc"])?;
    for arguments in [
        &["fmt", "--check"][..],
        &["clippy", "--quiet", "--locked", "--all-targets", "--", "-D", "warnings"],
        &["test", "--locked"],
    ] {
        cargo_outside("examples/third_party_adapter", arguments)?;
    }
    for arguments in [&["--test", "model"][..], &["--lib", "cache::model"]] {
        let core = ["test", "--package", "pstate-core", "--features", "_shuttle"];
        cargo(core.iter().chain(arguments).copied())?;
    }
    // Features of serde_json that any crate of a program may turn on.
    for feature in ["arbitrary_precision", "float_roundtrip", "preserve_order"] {
        let edits =
            ["test", "--package", "pstate-tests", "--no-default-features", "--test", "edits"];
        cargo(edits.into_iter().chain(["--features", feature]))?;
    }
    cargo(["test", "--package", "pstate", "--no-default-features", "--lib"])?;
    for package in ["pstate-sqlite", "pstate-sled"] {
        kill(package)?;
    }
    for (package, suite) in [
        ("pstate-testkit", "memory"),
        ("pstate-sqlite", "conformance"),
        ("pstate-sled", "conformance"),
    ] {
        long_cases(package, suite)?;
    }
    sqlite_range::check()?;
    fuzz::run_briefly()?;
    cargo(["test", "--workspace", "--features", ADDITIVE, "--tests"])
}

/// Runs the cases of the suite that the quick level leaves out: they are named by their size.
fn long_cases(package: &str, suite: &str) -> Result<(), Failed> {
    for size in ["32767", "65537"] {
        let full = [(cargo::SUITE_LEVEL, "full".to_owned())];
        let test = ["test", "--package", package, "--test", suite, "--", size];
        let (passed, _) = cargo_captured(&full, &test)?;
        if !passed {
            return Err(Failed(format!("{package} breaks a promise with {size} items")));
        }
    }
    Ok(())
}

/// Kills processes that write to a store, more often than the suite does by itself.
fn kill(package: &str) -> Result<(), Failed> {
    let environment = [
        ("PSTATE_TESTKIT_ROUNDS", KILLS.to_string()),
        // Not hanging, only long.
        ("PSTATE_TESTKIT_TIME_LIMIT", 900.to_string()),
    ];
    let kill = ["test", "--package", package, "--test", "conformance", "--", "durability::kill"];
    let (passed, _) = cargo_captured(&environment, &kill)?;
    if passed { Ok(()) } else { Err(Failed(format!("{package} has lost something"))) }
}
