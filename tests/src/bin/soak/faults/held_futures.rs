//! A program polls calls once and then keeps them, or drops them.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::Round;

pub(crate) struct HeldFutures(pub(crate) Backend);

impl Fault for HeldFutures {
    fn name(&self) -> &'static str {
        "held-futures"
    }

    fn backend(&self) -> Backend {
        self.0
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for command in ["hold", "drop", "hold"] {
            round.pause(50..200);
            round.workers[0].command(command);
            round.count();
        }
        round.pause(200..500);
        Ok(())
    }
}
