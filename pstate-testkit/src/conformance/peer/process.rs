use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use pstate_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::message::{Answer, Call, Numbered};
use super::server::PeerTask;

/// The answers that are waited for, by the number of their call; `None` after the process's end.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

/// The other process, as this one sees it. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct PeerProcess {
    child: Mutex<Child>,
    calls: Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
}

/// The number of the answer that the process gives when it has opened the store.
const OPENED: u64 = 0;

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the other process has ended")
}

impl PeerProcess {
    /// Starts a process that opens the store, and returns what it says about it.
    pub(super) async fn start(task: &PeerTask) -> Result<(Self, Answer)> {
        let mut child = task.start().map_err(|error| ended().caused_by(error))?;
        let (Some(calls), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ended());
        };
        let (opened, is_open) = oneshot::channel();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::from([(OPENED, opened)]))));
        let answered = waiting.clone();
        thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(std::io::Result::ok) {
                // What the program itself prints is no answer.
                let Ok(answer) = serde_json::from_str::<Numbered<Answer>>(&line) else { continue };
                let waits = answered.lock().as_mut().and_then(|all| all.remove(&answer.number));
                if let Some(waits) = waits {
                    // Fails if the call was dropped.
                    let _ = waits.send(answer.message);
                }
            }
            answered.lock().take();
        });
        let calls = Mutex::new((calls, OPENED));
        let process = Self { child: Mutex::new(child), calls, waiting };
        let opened = is_open.await.map_err(|_| ended())?;
        match opened {
            Answer::Failed(error) => Err(error.into_error()),
            opened => Ok((process, opened)),
        }
    }

    /// Makes a call, and waits for its answer. What is dropped before is done nevertheless.
    pub(super) async fn call(&self, call: Call) -> Result<Answer> {
        let (answers, answered) = oneshot::channel();
        {
            let (input, number) = &mut *self.calls.lock();
            *number += 1;
            match &mut *self.waiting.lock() {
                Some(waiting) => drop(waiting.insert(*number, answers)),
                None => return Err(ended()),
            }
            let line = serde_json::to_string(&Numbered { number: *number, message: call });
            let line = line.map_err(|error| ended().caused_by(error))? + "\n";
            input.write_all(line.as_bytes()).map_err(|error| ended().caused_by(error))?;
        }
        match answered.await.map_err(|_| ended())? {
            Answer::Failed(error) => Err(error.into_error()),
            answer => Ok(answer),
        }
    }

    /// Kills the process, as `kill -9` does, and waits for its end.
    pub(super) fn kill(&self) {
        let mut child = self.child.lock();
        // Fails if it has ended.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
