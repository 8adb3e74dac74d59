//! Running the suites of `pstate-benches`.

use clap::Args;

use crate::cargo::{Failed, cargo};
use crate::tools;

/// The package of the benchmarks, with everything that a suite needs.
const PACKAGE: [&str; 5] =
    ["--release", "--package", "pstate-benches", "--features", "pstate-benches/moving"];

// Every argument goes to the benchmarks, which know the suites and their options: `--help` as well.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// A suite and its options; `cargo xtask bench --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SUITE")]
    arguments: Vec<String>,
}

impl Bench {
    /// Builds the benchmarks and runs a suite.
    pub(crate) fn run(&self) -> Result<(), Failed> {
        if self.needs_redis() {
            tools::require("redis-server", "redis-server")?;
        }
        if self.suite() == "hits" {
            // A binary of its own, which `bench` starts.
            cargo(["build"].iter().chain(&PACKAGE).chain(&["--bin", "hits"]).copied())?;
        }
        let run = ["run"].iter().chain(&PACKAGE).chain(&["--bin", "bench", "--"]).copied();
        cargo(run.chain(self.arguments.iter().map(String::as_str)))
    }

    fn suite(&self) -> &str {
        let suite = self.arguments.first().filter(|word| !word.starts_with('-'));
        suite.map_or("compare", String::as_str)
    }

    /// Whether the suite starts Redis servers.
    fn needs_redis(&self) -> bool {
        let has = |beginning: &str| self.arguments.iter().any(|word| word.starts_with(beginning));
        match self.suite() {
            _ if has("--help") || has("-h") || has("--from") => false,
            "compare" | "operations" | "scale" | "throughput" => {
                !has("--backend") || self.arguments.iter().any(|word| word.contains("redis"))
            }
            "moving" => true,
            _ => false,
        }
    }
}
