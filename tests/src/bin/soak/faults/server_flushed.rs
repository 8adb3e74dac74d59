//! The server's operator takes all data away by one command.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct ServerFlushed {
    name: &'static str,
    command: &'static [&'static str],
    times: u32,
}

pub(crate) const FLUSHALL: ServerFlushed =
    ServerFlushed { name: "flushall", command: &["FLUSHALL"], times: 3 };

/// Once, because the second time would bring the old data back.
pub(crate) const SWAPDB: ServerFlushed =
    ServerFlushed { name: "swapdb", command: &["SWAPDB", "0", "1"], times: 1 };

impl Fault for ServerFlushed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backend(&self) -> Backend {
        Backend::Redis
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..self.times {
            round.pause(50..400);
            round.wipe(|round| round.command(self.command))?;
        }
        round.pause(200..500);
        Ok(())
    }
}
