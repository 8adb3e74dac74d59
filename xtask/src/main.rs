//! The project's own commands: `cargo xtask --help`.

mod cargo;
mod features;
mod instructions;
mod lint;
mod monitoring;
mod msrv;
mod soak;
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
    /// Measures PState against the same work done by hand, and prints the figures as a table.
    Bench {
        /// Arguments for the benchmark: --quick, --full, --backend NAME, --json FILE, --plot DIR, --save;
        /// --help lists all.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures a sweep of a large store: beside its users, and killed half-way.
    SweepBench {
        /// Arguments for the benchmark: --documents N, --rate N, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures how much memory cached documents take, and whether the cache keeps to its bound.
    CacheBench {
        /// Arguments for the benchmark: --documents N, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures reads of what is cached, against the cache crate used directly.
    HitsBench {
        /// Arguments for the benchmark: --documents N,N, --rounds N, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures what it costs to read the same documents by a preload, and one by one.
    ConcurrentBench {
        /// Arguments for the benchmark: --references N, --rounds N, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures for how long a process goes on to read what another one has replaced.
    StalenessBench {
        /// Arguments for the benchmark: --writes N, --bounds MS,MS, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Moves documents from SQLite to sled to a Redis Cluster and back, each move killed half-way.
    MovingBench {
        /// Arguments for the benchmark: --documents N, --json FILE.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Counts the instructions of the most frequent work, and fails if they have become more.
    Instructions,
    /// Runs everything random for longer; fails with the command that shows it again.
    Soak(soak::Soak),
    /// Checks formatting, lints and documentation.
    Lint,
    /// Tests alert rules and dashboard by promtool, against what the example has exposed.
    Monitoring(monitoring::Monitoring),
    /// Builds each feature of each package alone.
    Features,
    /// Checks that the stated minimum Rust version holds.
    Msrv,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test { filter } => test(filter.as_deref()),
        Command::Bench { arguments } => compare(&arguments),
        Command::SweepBench { arguments } => bench("sweep", &arguments),
        Command::CacheBench { arguments } => bench("cache", &arguments),
        Command::HitsBench { arguments } => bench("hits", &arguments),
        Command::ConcurrentBench { arguments } => bench("concurrent", &arguments),
        Command::StalenessBench { arguments } => bench("staleness", &arguments),
        Command::MovingBench { arguments } => tools::require("redis-server", "redis-server")
            .and_then(|()| bench("moving", &arguments)),
        Command::Instructions => instructions::check(),
        Command::Soak(soak) => soak::run(&soak),
        Command::Lint => lint::check(),
        Command::Monitoring(monitoring) => monitoring::run(&monitoring),
        Command::Features => features::check_each_alone(),
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
    cargo(["test", "--package", "pstate", "--no-default-features", "--test", "disabled"])?;
    for package in ["pstate-sqlite", "pstate-sled"] {
        kill(package)?;
    }
    cargo(["test", "--workspace", "--features", ADDITIVE, "--tests"])
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

fn compare(arguments: &[String]) -> Result<(), Failed> {
    let chosen = arguments.iter().any(|argument| argument.starts_with("--backend"));
    let redis = arguments.iter().any(|argument| argument.contains("redis"));
    let shows = ["--help", "--from"].map(str::to_owned);
    if !arguments.iter().any(|argument| shows.contains(argument)) && (redis || !chosen) {
        tools::require("redis-server", "redis-server")?;
    }
    bench("compare", arguments)
}

fn bench(binary: &str, arguments: &[String]) -> Result<(), Failed> {
    let run = [
        "run",
        "--release",
        "--package",
        "pstate-benches",
        "--features",
        "pstate-benches/moving",
        "--bin",
        binary,
        "--",
    ];
    cargo(run.into_iter().chain(arguments.iter().map(String::as_str)))
}
