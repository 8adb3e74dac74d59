//! What a broken promise looks like to the one who has to mend it.

use std::env;
use std::fmt;

use super::case::Case;

/// A promise of the contract that an adapter did not keep.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The name of the case.
    pub case: &'static str,
    /// The promise, as the documentation of [`Adapter`](pstate_core::Adapter) has it.
    pub clause: &'static str,
    /// What the contract asks for.
    pub expected: String,
    /// What was seen instead.
    pub got: String,
    /// The operations that led to it, in the order in which they were asked.
    pub operations: Vec<String>,
    /// The command that shows it again.
    pub replay: String,
}

/// How many operations are shown; the last ones matter most.
const SHOWN: usize = 40;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "clause    {}", self.clause)?;
        writeln!(f, "expected  {}", indent(&self.expected))?;
        writeln!(f, "got       {}", indent(&self.got))?;
        let left_out = self.operations.len().saturating_sub(SHOWN);
        let mut head = "after";
        if left_out > 0 {
            writeln!(f, "after     ({left_out} earlier operations)")?;
            head = "";
        }
        for operation in &self.operations[left_out..] {
            writeln!(f, "{head:<8}{}", indent(operation))?;
            head = "";
        }
        write!(f, "replay    {}", self.replay)
    }
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n          ")
}

/// The command that runs one case of this program again.
pub(super) fn replay(name: &str, case: &Case, seed: u64) -> String {
    let random = if case.random {
        format!("PSTATE_TESTKIT_SEED={seed} PSTATE_TESTKIT_ROUNDS=1 ")
    } else {
        String::new()
    };
    let package = env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    let target = env::current_exe().ok();
    let target = target.as_ref().and_then(|path| path.file_stem()).and_then(|name| name.to_str());
    // Cargo appends a dash and a digest.
    let target =
        target.map_or("conformance", |name| name.rsplit_once('-').map_or(name, |(name, _)| name));
    format!("{random}cargo test{package} --test {target} -- --exact {name}")
}
