//! How many instructions the most frequent work takes.
//!
//! Unlike times, instructions are the same on a busy machine. Callgrind counts them in functions of
//! the binary `instructions` of `pstate-benches`, which is built without any backend but the
//! memory. What they took when someone last looked is kept in a file; the command fails if
//! something takes more than that and a tolerance.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::cargo::{Failed, cargo, target_directory};
use crate::tools;

/// The file with the counts: first the compiler, then a line for each piece of work.
const FILE: &str = "benches/instructions.txt";

/// How often each piece of work is counted. The least counts: hash seeds and addresses differ from
/// run to run, and a table that collides or grows at another moment only adds to the count.
const RUNS: usize = 3;

#[derive(Args)]
pub(crate) struct Instructions {
    /// Keep today's counts as the ones that later runs are held to.
    #[arg(long)]
    update: bool,
    /// Only work whose name contains this.
    #[arg(long, value_name = "TEXT", conflicts_with = "update", default_value = "")]
    only: String,
}

impl Instructions {
    /// Counts, and compares with the file or writes it.
    pub(crate) fn run(&self) -> Result<(), Failed> {
        tools::require("valgrind", "valgrind")?;
        let build = ["build", "--locked", "--release", "--package", "pstate-benches"];
        cargo(build.into_iter().chain(["--no-default-features", "--bin", "instructions"]))?;
        let binary = format!("{}/release/instructions", target_directory()?);
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(FILE);
        let failed = |error| Failed(format!("{FILE}: {error}"));
        let kept = Counts::parse(&fs::read_to_string(&path).map_err(failed)?)?;
        let compiler = compiler()?;
        if self.update {
            let counts = works(&binary)?
                .into_iter()
                .map(|work| least(&binary, &work).map(|count| (work, count)))
                .collect::<Result<_, _>>()?;
            let new = Counts { compiler, counts };
            print!("{}", new.compared_with(&kept));
            return fs::write(&path, new.text()).map_err(failed);
        }
        self.check(&binary, &kept, Tolerance::of(kept.compiler == compiler))
    }

    fn check(&self, binary: &str, kept: &Counts, tolerance: Tolerance) -> Result<(), Failed> {
        println!("{:<20}{:>14}{:>14}{:>9}", "work", "instructions", "kept", "change");
        let mut above = Vec::new();
        for work in works(binary)? {
            if !work.contains(&self.only) {
                continue;
            }
            let counted = least(binary, &work)?;
            let Some(kept) = kept.of(&work) else {
                above.push(format!("{work} is not in {FILE}"));
                continue;
            };
            println!("{work:<20}{counted:>14}{kept:>14}{:>9}", change(counted, kept));
            if counted > tolerance.most(kept) {
                let change = change(counted, kept);
                above.push(format!("{work} takes {counted} instructions, {change}"));
            }
        }
        if above.is_empty() {
            return Ok(());
        }
        let Tolerance { percent } = tolerance;
        Err(Failed(format!(
            "{}; more than {percent}% fail. If that is intended: cargo xtask instructions --update",
            above.join("; ")
        )))
    }
}

/// What the work took.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    /// Which compiler, for which machine.
    compiler: String,
    /// By the name of the work.
    counts: Vec<(String, u64)>,
}

impl Counts {
    fn parse(text: &str) -> Result<Self, Failed> {
        let (compiler, rest) = text.split_once('\n').unwrap_or((text, ""));
        let counts = rest.lines().map(|line| {
            let count = line
                .split_once(' ')
                .and_then(|(work, count)| Some((work.to_owned(), count.trim().parse().ok()?)));
            count.ok_or_else(|| Failed(format!("{FILE}: {line:?} is not a name and a number")))
        });
        Ok(Self { compiler: compiler.to_owned(), counts: counts.collect::<Result<_, _>>()? })
    }

    fn text(&self) -> String {
        let Self { compiler, counts } = self;
        let mut text = format!("{compiler}\n");
        for (work, count) in counts {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{work} {count}");
        }
        text
    }

    fn of(&self, work: &str) -> Option<u64> {
        self.counts.iter().find(|(name, _)| name == work).map(|(_, count)| *count)
    }

    fn compared_with(&self, kept: &Self) -> String {
        let mut text = String::new();
        for (work, count) in &self.counts {
            let change = kept.of(work).map_or("new".to_owned(), |kept| change(*count, kept));
            _ = writeln!(text, "{work:<20}{count:>14}{change:>9}");
        }
        text
    }
}

/// How many more instructions than those kept are allowed.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    percent: u64,
}

impl Tolerance {
    /// Another compiler emits other instructions, so less is demanded of it.
    fn of(is_same_compiler: bool) -> Self {
        Self { percent: if is_same_compiler { 3 } else { 15 } }
    }

    fn most(self, kept: u64) -> u64 {
        kept + kept * self.percent / 100
    }
}

/// By how many percent a count has changed.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn change(counted: u64, kept: u64) -> String {
    format!("{:+.1}%", (counted as f64 / kept as f64 - 1.0) * 100.0)
}

fn compiler() -> Result<String, Failed> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output();
    let output = output.map_err(|error| Failed(format!("rustc: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    Ok(format!("rustc {} for {}", line("release:"), line("host:")))
}

/// The names of all work.
fn works(binary: &str) -> Result<Vec<String>, Failed> {
    let output = Command::new(binary).arg("--list").output();
    let output = output.map_err(|error| Failed(format!("{binary}: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// The least of several counts.
fn least(binary: &str, work: &str) -> Result<u64, Failed> {
    let counts = (0..RUNS).map(|_| count(binary, work)).collect::<Result<Vec<_>, _>>()?;
    Ok(counts.into_iter().min().unwrap_or_default())
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
    let counted: Option<u64> = counted.and_then(|(_, number)| number.trim().parse().ok());
    let times: Option<u64> = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    match (counted, times) {
        (Some(counted), Some(times)) if counted > 0 && times > 0 => Ok(counted / times),
        _ => Err(Failed(format!("{work}: callgrind has counted nothing:\n{report}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts {
            compiler: "rustc 1.95.0 for x86_64-unknown-linux-gnu".to_owned(),
            counts: vec![("get_warm".to_owned(), 430), ("migrate".to_owned(), 49_000)],
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let read = Counts::parse(&counts().text()).expect("our own text");
        assert_eq!(read, counts());
        assert_eq!((read.of("migrate"), read.of("other")), (Some(49_000), None));
    }

    #[test]
    fn a_line_that_is_no_count_is_refused() {
        let Failed(why) = Counts::parse("rustc\nget_warm many\n").expect_err("no number");
        assert!(why.contains("\"get_warm many\""), "{why}");
    }

    #[test]
    fn three_percent_are_allowed_to_the_same_compiler() {
        assert_eq!(Tolerance::of(true).most(1_000), 1_030);
        assert_eq!(Tolerance::of(false).most(1_000), 1_150);
        assert_eq!(change(1_030, 1_000), "+3.0%");
    }
}
