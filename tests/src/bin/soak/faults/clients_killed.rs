//! The server closes all connections, again and again.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct ClientsKilled;

impl Fault for ClientsKilled {
    fn name(&self) -> &'static str {
        "client-kill"
    }

    fn backend(&self) -> Backend {
        Backend::Redis
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..6 {
            round.pause(20..200);
            round.command(&["CLIENT", "KILL", "TYPE", "normal"])?;
            round.count();
        }
        Ok(())
    }
}
