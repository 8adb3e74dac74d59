//! The long forms of everything random, and faults under load.

use std::fs;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cargo::{Failed, cargo, cargo_captured};

#[derive(Args)]
pub(crate) struct Soak {
    /// Run the random tests of this adapter, and no faults; all of both by default.
    #[arg(long)]
    adapter: Vec<Adapter>,
    /// Inject faults for this long; each fault once at least.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Inject only faults of this backend, and run no random tests: sqlite, sled, redis, cluster.
    #[arg(long)]
    backend: Option<String>,
    /// Inject only this fault, and run no random tests; an unknown one lists them all.
    #[arg(long)]
    fault: Option<String>,
    /// How often each random test is repeated, without the faults.
    #[arg(long, default_value_t = 500)]
    rounds: u32,
    /// Where random choices begin; another one each time if it isn't given.
    #[arg(long)]
    seed: Option<u64>,
    /// Write the results to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Adapter {
    Memory,
    Sqlite,
    Sled,
    /// The handle above an adapter with random faults, and beside processes that are killed.
    Handle,
}

/// The random cases of the conformance suite.
const CASES: [&str; 4] =
    ["model::sequences", "concurrent::linearizable", "scan::under_writes", "durability::kill"];

impl Adapter {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
            Self::Handle => "handle",
        }
    }

    /// The package, its test target, and which of its tests are random.
    fn tests(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Memory => ("pstate-testkit", "memory", &CASES),
            Self::Sqlite => ("pstate-sqlite", "conformance", &CASES),
            Self::Sled => ("pstate-sled", "conformance", &CASES),
            Self::Handle => ("pstate-tests", "it", &["faults", "processes::kill"]),
        }
    }
}

pub(crate) fn run(soak: &Soak) -> Result<(), Failed> {
    let seed = soak.seed.unwrap_or_else(now);
    let only_faults = soak.backend.is_some() || soak.fault.is_some();
    let tested = if only_faults { Ok(()) } else { test(soak, seed) };
    let endured = if soak.adapter.is_empty() { inject(soak, seed) } else { Ok(()) };
    tested.and(endured)
}

/// Injects faults under load, in the program `soak` of the package `pstate-tests`.
fn inject(soak: &Soak, seed: u64) -> Result<(), Failed> {
    let (seconds, seed) = (soak.seconds.to_string(), seed.to_string());
    let features = "redis-cluster,sled,sqlite";
    let mut arguments = vec!["run", "--quiet", "--package", "pstate-tests", "--bin", "soak"];
    arguments.extend(["--features", features, "--", "--seconds", &seconds, "--seed", &seed]);
    for (option, value) in [("--backend", &soak.backend), ("--fault", &soak.fault)] {
        arguments.extend(value.iter().flat_map(|value| [option, value.as_str()]));
    }
    cargo(arguments)
}

/// Runs the random tests.
fn test(soak: &Soak, seed: u64) -> Result<(), Failed> {
    let adapters = match &soak.adapter[..] {
        [] => Adapter::value_variants(),
        adapters => adapters,
    };
    println!("seed {seed}, {} rounds", soak.rounds);
    let runs: Vec<Value> = adapters
        .iter()
        .map(|&adapter| soak_one(adapter, seed, soak.rounds))
        .collect::<Result<_, _>>()?;
    let replays: Vec<&str> = runs
        .iter()
        .flat_map(|run| run["replay"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let passed = runs.iter().all(|run| run["passed"] == true);
    if let Some(file) = &soak.json {
        let report = json!({ "seed": seed, "rounds": soak.rounds, "passed": passed, "runs": runs });
        fs::write(file, format!("{report:#}\n"))
            .map_err(|error| Failed(format!("{}: {error}", file.display())))?;
    }
    for run in &runs {
        println!(
            "{}: {} passed, {} failed, {} ignored in {:.0} s",
            run["adapter"].as_str().unwrap_or_default(),
            count(run, "ok"),
            count(run, "FAILED"),
            count(run, "ignored"),
            run["seconds"].as_f64().unwrap_or_default(),
        );
    }
    match (passed, &replays[..]) {
        (true, _) => Ok(()),
        (false, []) => Err(Failed("something failed that is not random; see above".to_owned())),
        (false, replays) => Err(Failed(format!("replay with\n  {}", replays.join("\n  ")))),
    }
}

fn soak_one(adapter: Adapter, seed: u64, rounds: u32) -> Result<Value, Failed> {
    let (package, target, filters) = adapter.tests();
    let environment = [
        ("PSTATE_TESTKIT_SEED", seed.to_string()),
        ("PSTATE_TESTKIT_ROUNDS", rounds.to_string()),
        // Not hanging, only long.
        ("PSTATE_TESTKIT_TIME_LIMIT", 86_400.to_string()),
    ];
    let started = Instant::now();
    let (mut passed, mut output) = (true, String::new());
    for filter in filters {
        let arguments = ["test", "--package", package, "--test", target, "--", filter];
        let (ended_well, text) = cargo_captured(&environment, &arguments)?;
        passed &= ended_well;
        output += &text;
    }
    Ok(json!({
        "adapter": adapter.name(),
        "passed": passed,
        "seconds": started.elapsed().as_secs_f64(),
        "cases": cases(&output),
        "replay": replays(&output),
    }))
}

/// The lines of a test runner that say what became of a test: `test a::b ... ok`.
fn cases(output: &str) -> Vec<Value> {
    let outcomes = output.lines().filter_map(|line| {
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let outcome = outcome.split(|c: char| !c.is_alphanumeric()).next()?;
        Some(json!({ "name": name.trim(), "outcome": outcome }))
    });
    outcomes.collect()
}

/// The commands that show a failure again.
fn replays(output: &str) -> Vec<&str> {
    let mut replays: Vec<_> = output
        .lines()
        .filter_map(|line| Some(&line[line.find("PSTATE_TESTKIT_SEED=")?..]))
        .collect();
    replays.dedup();
    replays
}

fn count(run: &Value, outcome: &str) -> usize {
    let cases = run["cases"].as_array().into_iter().flatten();
    cases.filter(|case| case["outcome"] == outcome).count()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() << 20)
}
