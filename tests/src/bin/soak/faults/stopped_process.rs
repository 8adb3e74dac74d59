//! A process is stopped while it writes, and continues later.

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
            round.workers[0].signal("-STOP")?;
            round.count();
            round.pause(50..400);
            round.workers[0].signal("-CONT")?;
        }
        Ok(())
    }
}
