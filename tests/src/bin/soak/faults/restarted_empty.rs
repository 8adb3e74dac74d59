//! The server is killed, and starts again without data.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct RestartedEmpty;

impl Fault for RestartedEmpty {
    fn name(&self) -> &'static str {
        "restart-empty"
    }

    fn backend(&self) -> Backend {
        Backend::Redis
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..2 {
            round.pause(100..400);
            round.wipe(|round| {
                let server = round.place.server.as_mut().ok_or("a round without a server")?;
                server.kill();
                server.restart_empty();
                Ok::<(), String>(())
            })?;
            round.pause(300..800);
        }
        Ok(())
    }
}
