//! A process is killed while it writes, and starts again.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::round::{Round, slots_of};

pub(crate) struct KilledProcess(pub(crate) Backend);

impl Fault for KilledProcess {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn backend(&self) -> Backend {
        self.0
    }

    fn inject(&self, round: &mut Round) -> Result<(), String> {
        for _ in 0..4 {
            round.pause(1..300);
            round.workers.remove(0).kill();
            round.count();
            let url = round.place.url();
            round.start(&url, slots_of(0), slots_of(0))?;
            round.workers.rotate_right(1);
        }
        Ok(())
    }
}
