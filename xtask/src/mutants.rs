//! Breaking the SQLite adapter, one promise at a time, to see that the conformance suite finds it.

mod sqlite;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use self::sqlite::{MUTATIONS, Mutation};
use crate::cargo::Failed;

#[derive(Args)]
pub(crate) struct Mutants {
    /// Only mutations whose name contains this.
    filter: Option<String>,
}

/// What the suite says of a mutation.
enum Found {
    By(Vec<String>),
    /// It does not compile, so it proves nothing.
    NotBuilt,
    ByNone,
}

impl Mutants {
    /// Applies each mutation to a copy of the workspace, runs the suite there, and prints which
    /// case finds it first.
    pub(crate) fn run(&self) -> Result<(), Failed> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let copy = root.join("target/mutants");
        copy_sources(root, &copy.join("workspace"))?;
        let wanted = |mutation: &&Mutation| {
            self.filter.as_ref().is_none_or(|filter| mutation.name.contains(filter.as_str()))
        };
        let mut missed = Vec::new();
        println!("{:42} {:>5}  {:>5}  found by", "mutation", "s", "cases");
        for mutation in MUTATIONS.iter().filter(wanted) {
            let begun = Instant::now();
            let found = found(&copy, mutation)?;
            let seconds = begun.elapsed().as_secs();
            let (count, by) = match &found {
                Found::By(cases) if cases.len() == ENOUGH => (format!("{ENOUGH}+"), &*cases[0]),
                Found::By(cases) => (cases.len().to_string(), &*cases[0]),
                Found::NotBuilt => (String::new(), "(it does not compile)"),
                Found::ByNone => (String::new(), "(none)"),
            };
            println!("{:42} {seconds:5}  {count:5}  {by}", mutation.name);
            match (found, mutation.why_not) {
                (Found::By(_), _) => {}
                (Found::ByNone, Some(why)) => println!("{:42}               {why}", ""),
                _ => missed.push(mutation.name),
            }
        }
        if missed.is_empty() {
            Ok(())
        } else {
            Err(Failed(format!("the suite does not find: {}", missed.join(", "))))
        }
    }
}

fn failed(what: &Path) -> impl FnOnce(io::Error) -> Failed {
    move |error| Failed(format!("{}: {error}", what.display()))
}

/// Copies what Git knows of, so that a mutation never touches the sources themselves.
fn copy_sources(root: &Path, copy: &Path) -> Result<(), Failed> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let listed = listed.map_err(failed(root))?;
    for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        let (from, to) = (root.join(name), copy.join(name));
        // What is there and equal keeps its time, so that it is not built again.
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(directory) = to.parent() {
            fs::create_dir_all(directory).map_err(failed(directory))?;
        }
        fs::write(&to, bytes).map_err(failed(&to))?;
    }
    Ok(())
}

fn found(copy: &Path, mutation: &Mutation) -> Result<Found, Failed> {
    let workspace = copy.join("workspace");
    let mut originals: Vec<(PathBuf, String)> = Vec::new();
    for (file, from, to) in mutation.edits {
        let path = workspace.join("pstate-sqlite/src").join(file);
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        if text.matches(from).count() != 1 {
            let message = format!("{}: {file} has not exactly one {from:?}", mutation.name);
            return Err(Failed(message));
        }
        fs::write(&path, text.replace(from, to)).map_err(failed(&path))?;
        originals.push((path, text));
    }
    let found = run_suite(&workspace, &copy.join("build"));
    for (path, text) in originals.iter().rev() {
        fs::write(path, text).map_err(failed(path))?;
    }
    found
}

/// How many failed cases are enough: the first ones name the fault best.
const ENOUGH: usize = 12;

fn run_suite(workspace: &Path, build: &Path) -> Result<Found, Failed> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(["test", "--quiet", "--package", "pstate-sqlite", "--test", "conformance"]);
        command.args(arguments).current_dir(workspace);
        command.env("CARGO_TARGET_DIR", build).env("PSTATE_TESTKIT_LEVEL", "quick");
        command.env("PSTATE_TESTKIT_TIME_LIMIT", "5").env("RUSTFLAGS", "-Awarnings");
        command.stderr(Stdio::null()).stdout(Stdio::piped());
        command
    };
    let compiled = cargo(&["--no-run"]).output().map_err(failed(workspace))?;
    if !compiled.status.success() {
        return Ok(Found::NotBuilt);
    }
    // One of both layouts: the other has the same cases.
    let mut suite = cargo(&["--", "without_rowid::", "--format", "pretty"]);
    let mut suite = suite.process_group(0).spawn().map_err(failed(workspace))?;
    let lines = suite.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
    let case = |line: String| {
        let case = line.strip_prefix("test ")?.strip_suffix("FAILED")?;
        Some(case.trim_end_matches([' ', '.']).replace("without_rowid::", ""))
    };
    let cases: Vec<String> =
        lines.map_while(io::Result::ok).filter_map(case).take(ENOUGH).collect();
    // Also what cargo has started.
    let group = format!("-{}", suite.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    killed.and_then(|_| suite.wait()).map_err(failed(workspace))?;
    Ok(if cases.is_empty() { Found::ByNone } else { Found::By(cases) })
}
