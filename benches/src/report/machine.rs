//! The machine of a run.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::backend::{Backend, BackendName, OnBackend};

/// The crates whose versions belong to figures.
const CRATES: [&str; 7] =
    ["foldhash", "quick_cache", "redis", "rusqlite", "serde_json", "sled", "tokio"];

/// The machine and the programs of a run, and when it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// `2026-11-26`, in UTC.
    pub date: String,
    /// The processor.
    pub processor: String,
    /// How many threads it runs at once.
    pub threads: usize,
    /// Its system and architecture.
    pub system: String,
    /// What `rustc --version` says.
    pub rust: String,
    /// The commit that was built, and whether it was changed since.
    pub commit: String,
    /// The stores and their versions.
    pub stores: Vec<String>,
    /// Crates and their versions.
    pub crates: Vec<String>,
}

impl Machine {
    /// This machine, now.
    ///
    /// # Errors
    /// If a program that has to be asked is missing, or a store fails.
    pub async fn this(backends: &[BackendName]) -> Result<Self> {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = processor.unwrap_or("unknown").trim_start_matches([' ', '\t', ':']);
        let mut stores = Vec::new();
        for &backend in backends {
            stores.push(backend.run(Version).await?);
        }
        Ok(Self {
            date: output("date", &["-u", "+%F"])?,
            processor: processor.to_owned(),
            threads: available_parallelism()?.get(),
            system: output("uname", &["-srm"])?,
            rust: output("rustc", &["--version"])?,
            commit: output("git", &["describe", "--always", "--dirty"])?,
            stores,
            crates: crates()?,
        })
    }

    /// The name of a file with its figures: the date and the processor.
    pub fn file_name(&self) -> String {
        let words = self.processor.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        format!("{}-{}-{}x", self.date, words.join("-").to_ascii_lowercase(), self.threads)
    }

    /// One line about it.
    pub fn describe(&self) -> String {
        let Self { date, processor, threads, system, rust, commit, stores, crates } = self;
        format!(
            "{date}, {threads} threads of {processor}, {system}; {rust}; {}; {}; commit {commit}",
            stores.join(", "),
            crates.join(", ")
        )
    }
}

/// Asks a backend for its version.
struct Version;

impl OnBackend for Version {
    type Output = std::pin::Pin<Box<dyn Future<Output = Result<String>> + Send>>;

    fn run<B: Backend>(self, _name: BackendName) -> Self::Output {
        Box::pin(async { B::create().await?.version().await })
    }
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The versions in the lock file.
fn crates() -> Result<Vec<String>> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"))?;
    let mut found = Vec::new();
    for name in CRATES {
        let version = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
        let version = version.and_then(|(_, rest)| rest.split('"').next());
        found.extend(version.map(|version| format!("{name} {version}")));
    }
    Ok(found)
}
