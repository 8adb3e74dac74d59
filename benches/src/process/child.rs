//! This program in a process of its own.

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;

/// This program in a process of its own. Dropping it kills the process.
///
/// A suite runs a part in another process to measure memory that holds nothing else, or to kill it.
/// Each suite that does so has a hidden option `--child`, whose value says what to do, as JSON. The
/// child prints its answer.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl ChildProcess {
    /// Starts a suite with a task.
    ///
    /// # Errors
    /// If no process can be started.
    pub fn start(suite: &str, task: &impl Serialize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args([suite, "--child", &serde_json::to_string(task)?])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the child process has no output")?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Waits for the next number that the child prints; `None` at its end.
    ///
    /// # Errors
    /// If its output cannot be read.
    pub fn next_number(&mut self) -> Result<Option<u64>> {
        for line in self.lines.by_ref() {
            if let Ok(number) = line?.parse() {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Waits for its end. All lines that it prints until then.
    ///
    /// # Errors
    /// If the child fails.
    pub fn finish(mut self) -> Result<Vec<String>> {
        let lines = self.lines.by_ref().collect::<Result<_, _>>()?;
        let status = self.child.wait()?;
        if status.success() { Ok(lines) } else { Err(format!("a child process: {status}").into()) }
    }

    /// Waits for its end. Its last line, which is JSON.
    ///
    /// # Errors
    /// If the child fails, or prints something else.
    pub fn report<T: DeserializeOwned>(self) -> Result<T> {
        let lines = self.finish()?;
        Ok(serde_json::from_str(lines.last().ok_or("the child process has printed nothing")?)?)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
