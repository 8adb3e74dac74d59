//! The processes that use a store, as the driver sees them.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::arguments::{Slot, Task};
use crate::history::{BOUND, Found, History, now};

/// How long a process may take to start, or to close its store and end.
const TIMEOUT: Duration = Duration::from_secs(40);

/// What all processes report.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) history: Mutex<History>,
    /// What must not be, whatever the history is.
    pub(crate) violations: Mutex<Vec<String>>,
    /// Errors of calls, without repetitions: a fault may have them.
    pub(crate) errors: Mutex<Vec<String>>,
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// The first document that it writes.
    reader: Slot,
    commands: Option<ChildStdin>,
    reports: Arc<Reports>,
    ready: Receiver<Vec<Found>>,
}

impl Process {
    pub(crate) fn start(task: &Task, reports: &Arc<Reports>) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(task.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let commands = child.stdin.take();
        let lines =
            child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).split(b'\n'));
        let (to_us, ready) = channel();
        let (heard, own) = (Arc::clone(reports), task.writes.clone());
        thread::spawn(move || hear(lines.map_while(Result::ok), &own, &heard, &to_us));
        Ok(Self { child, reader: task.writes.start, commands, reports: Arc::clone(reports), ready })
    }

    /// Waits until it uses the store.
    pub(crate) fn wait_until_ready(&self) -> Result<(), String> {
        let ready = self.ready.recv_timeout(TIMEOUT);
        ready.map(drop).map_err(|error| format!("a worker does not start: {error}"))
    }

    /// Sends a line: `hold`, `drop`.
    pub(crate) fn command(&mut self, command: &str) {
        // It fails if the process has ended, which its end reports.
        let _ = self.commands.as_mut().map(|pipe| writeln!(pipe, "{command}"));
    }

    /// Keeps it from running while `stopped` runs.
    pub(crate) fn stop(&self, stopped: impl FnOnce()) -> Result<(), String> {
        let begin = now();
        self.signal("-STOP")?;
        stopped();
        self.signal("-CONT")?;
        self.reports.history.lock().stop(self.reader, begin, now());
        Ok(())
    }

    /// Sends a signal, as `-STOP`.
    fn signal(&self, signal: &str) -> Result<(), String> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        let done = status.map_err(|error| error.to_string())?;
        if done.success() { Ok(()) } else { Err(format!("kill {signal}: {done}")) }
    }

    /// Ends it like a crash.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Lets it read everything once more, close its store and end. Gives what it has read.
    pub(crate) fn finish(mut self) -> Vec<Found> {
        drop(self.commands.take());
        let begin = Instant::now();
        let read = self.ready.recv_timeout(TIMEOUT);
        while begin.elapsed() < TIMEOUT {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return read.unwrap_or_default(),
                Ok(Some(status)) => {
                    self.violation(format!("a worker ended with {status}"));
                    return Vec::new();
                }
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
        self.violation("a worker is stuck while it closes its store".to_owned());
        Vec::new()
    }

    fn violation(&self, what: String) {
        self.reports.violations.lock().push(what);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has usually ended already; a stopped one is killed as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hear(
    lines: impl Iterator<Item = Vec<u8>>,
    own: &Range<Slot>,
    reports: &Reports,
    ready: &Sender<Vec<Found>>,
) {
    let mut at_last = Vec::new();
    for line in lines {
        let line = String::from_utf8_lossy(&line);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let numbers: Vec<Option<u64>> = rest.split(' ').map(|n| n.parse().ok()).collect();
        let slot = numbers.first().copied().flatten().and_then(|n| Slot::try_from(n).ok());
        match (word, slot, &numbers[..]) {
            ("begin", Some(slot), [_, Some(number), Some(at)]) => {
                reports.history.lock().begin_write(slot, *number, *at);
            }
            ("done", Some(slot), [_, Some(number), Some(at)]) => {
                reports.history.lock().acknowledge(slot, *number, *at);
            }
            ("read" | "last", Some(slot), [_, Some(begin), Some(end), number]) => {
                let at_once = word == "last" || own.contains(&slot);
                let bound = if at_once { 0 } else { BOUND };
                let (begin, end, number) = (*begin, *end, *number);
                let found = Found { reader: own.start, slot, begin, end, number, bound };
                if word == "last" {
                    at_last.push(found);
                } else {
                    reports.history.lock().read(found);
                }
            }
            // The driver has given up waiting if nothing receives it.
            ("ready", ..) => drop(ready.send(std::mem::take(&mut at_last))),
            ("violation", ..) => reports.violations.lock().push(rest.to_owned()),
            ("error", ..) => {
                let mut errors = reports.errors.lock();
                if errors.len() < 5 && !errors.iter().any(|error| error == rest) {
                    errors.push(rest.to_owned());
                }
            }
            // A line that a kill has cut off.
            _ => {}
        }
    }
}
