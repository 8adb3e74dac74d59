//! A process of its own, that works on a file and says what it does.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pstate::sqlite::SqliteAdapter;
use pstate_testkit::{Call, FaultLayer, Hold, Moment};

/// In the environment of a child: the file that it works on, and what else it has to know.
const FILE: &str = "PSTATE_TEST_FILE";
const TASK: &str = "PSTATE_TEST_TASK";

/// What a child says when it is held at the write that its task names.
pub(super) const HELD: &str = "held";

/// What the lines of a child begin with that are meant for its parent.
const SAID: &str = "> ";

pub(super) fn open(path: &Path) -> Arc<SqliteAdapter> {
    Arc::new(SqliteAdapter::open(path).unwrap())
}

/// A running child. It is killed if the test ends before it.
pub(super) struct Child {
    process: std::process::Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Child {
    /// Runs an ignored test of this binary in a process of its own.
    pub(super) fn start(test: &str, file: &Path, task: impl AsRef<OsStr>) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env(FILE, file)
            .env(TASK, task)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = process.stdout.take().map(BufReader::new);
        Self { process, lines }
    }

    /// What it says next; `None` when it has ended and everything is heard.
    pub(super) fn hear(&mut self) -> Option<String> {
        let lines = self.lines.as_mut()?;
        loop {
            let mut line = String::new();
            // What is cut off by the kill was not said.
            if lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            // The test runner's own words come before on the same line.
            if let Some((_, said)) = line.trim_end().split_once(SAID) {
                return Some(said.to_owned());
            }
        }
    }

    /// Ends it at once: SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it at once when it says that it is held.
    pub(super) fn kill_when_held(&mut self) {
        assert_eq!(self.hear().as_deref(), Some(HELD));
        self.kill();
    }

    /// Waits for its end, which must be a success, and gives what it had still to say.
    pub(super) fn finish(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.hear()).collect();
        assert!(self.process.wait().unwrap().success(), "the other process failed: {said:?}");
        said
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has usually ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// In a child: the file that it works on.
pub(super) fn file() -> PathBuf {
    env::var_os(FILE).unwrap().into()
}

/// In a child: what it was told.
pub(super) fn task() -> String {
    env::var(TASK).unwrap()
}

/// In a child: holds the write that its task names, counted from 0 (`3 before`, `3 after`): before
/// its effect, or after it and before the answer.
pub(super) fn hold_at_write(faults: &FaultLayer) -> Hold {
    let task = task();
    let (number, moment) = task.split_once(' ').unwrap();
    for _ in 0..number.parse().unwrap() {
        faults.delay(Call::Write, Duration::ZERO);
    }
    let moment = if moment == "before" { Moment::Before } else { Moment::After };
    faults.hold(Call::Write, moment)
}

/// In a child: one line to the parent, which arrives whole or not at all.
pub(super) fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The parent may be gone; then nobody needs to know.
    _ = out.write_all(format!("{SAID}{line}\n").as_bytes());
    _ = out.flush();
}
