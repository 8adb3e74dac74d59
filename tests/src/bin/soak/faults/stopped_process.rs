//! A process is stopped while it writes, and continues later.

use std::thread;
use std::time::Duration;

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct StoppedProcess;

impl Fault for StoppedProcess {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn backend(&self) -> Backend {
        Backend::Sqlite
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..5 {
            round.pause(1..100);
            let stop = Duration::from_millis(round.rng.u64(50..400));
            round.workers[0].stop(|| thread::sleep(stop))?;
            round.count();
        }
        Ok(())
    }
}
