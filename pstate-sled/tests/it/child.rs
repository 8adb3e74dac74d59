//! A process of its own, that works on a store and says what it does.

use std::env;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

/// In the environment of a child: the store that it works on.
const STORE: &str = "PSTATE_SLED_TEST_STORE";

/// What the lines of a child begin with that are meant for its parent.
const SAID: &str = "> ";

/// A running child. It is killed if the test ends before it.
pub(crate) struct Child {
    process: std::process::Child,
    lines: BufReader<ChildStdout>,
}

impl Child {
    /// Runs an ignored test of this binary in a process of its own.
    pub(crate) fn start(test: &str, store: &Path) -> Self {
        Self::start_as(None, test, store)
    }

    /// The same as another user, by number, which only the superuser can do.
    pub(crate) fn start_as(user: Option<u32>, test: &str, store: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        #[cfg(unix)]
        if let Some(user) = user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
        }
        let mut process = command
            .args(["--ignored", "--exact", "--nocapture", test])
            .env(STORE, store)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// What it says next; `None` when it has ended and everything is heard.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            // What is cut off by the kill was not said.
            if self.lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            // The test runner's own words come before on the same line.
            if let Some((_, said)) = line.trim_end().split_once(SAID) {
                return Some(said.to_owned());
            }
        }
    }

    /// Ends it at once: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has usually ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// In a child: the store that it works on.
pub(crate) fn store() -> PathBuf {
    env::var_os(STORE).unwrap().into()
}

/// In a child: one line to the parent, which arrives whole or not at all.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The parent may be gone, and does not need the line then.
    _ = out.write_all(format!("{SAID}{line}\n").as_bytes());
    _ = out.flush();
}
