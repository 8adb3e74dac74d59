use std::fmt;

/// A violation of the contract. `Display` prints a report.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The name of the case.
    pub case: &'static str,
    /// The clause, as in the documentation of [`Adapter`](pstate_core::Adapter).
    pub clause: &'static str,
    /// What the contract demands.
    pub expected: String,
    /// What the adapter did instead.
    pub got: String,
    /// The operations that led to it, in order.
    pub operations: Vec<String>,
    /// The command that runs the case again.
    pub replay: String,
}

/// The number of operations shown: the last ones matter most.
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
