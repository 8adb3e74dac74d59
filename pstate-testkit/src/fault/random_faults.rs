use std::sync::Arc;

use fastrand::Rng;
use pstate_core::{Error, ErrorKind};

use super::call::Call;
use super::errors::{indeterminate, not_reached};
use super::fault::Fault;
use super::fault_rates::FaultRates;
use super::moment::Moment;
use super::wait::Wait;

/// The most calls that find no connection after the one that lost it.
const LONGEST_LOSS: u32 = 7;

/// Draws the faults of calls from a seed.
#[derive(Debug)]
pub(super) struct RandomFaults {
    rates: FaultRates,
    rng: Rng,
}

impl RandomFaults {
    pub(super) fn new(seed: u64, rates: FaultRates) -> Self {
        Self { rates, rng: Rng::with_seed(seed) }
    }

    /// Draws the fault of the next call.
    pub(super) fn draw(&mut self, call: Call) -> Option<Fault> {
        // Each call forks the generator, so that the number of draws of one call does not shift
        // the faults of the next.
        let mut rng = self.rng.fork();
        let FaultRates { fail_before, fail_after, fail_early, lost_connection, .. } = self.rates;
        let FaultRates { delay, reorder, longest_delay, .. } = self.rates;
        let mut is_hit = |rate| rng.f64() < rate;
        let fault = if is_hit(fail_before) {
            Fault::Fail(not_reached("the storage cannot be reached"))
        } else if is_hit(fail_after) {
            Fault::FailAfter(no_answer(call, &mut rng))
        } else if is_hit(fail_early) {
            let error = no_answer(call, &mut rng);
            Fault::FailEarly(error, Wait::Delayed(longest_delay.mul_f64(rng.f64())))
        } else if is_hit(lost_connection) {
            Fault::LoseConnection(rng.u32(0..=LONGEST_LOSS))
        } else if is_hit(delay) {
            let delay = longest_delay.mul_f64(rng.f64());
            Fault::Wait(moment(&mut rng), Wait::Delayed(delay))
        } else if is_hit(reorder) {
            Fault::Wait(moment(&mut rng), Wait::Overtaken(Arc::default()))
        } else {
            return None;
        };
        Some(fault)
    }
}

fn no_answer(call: Call, rng: &mut Rng) -> Error {
    let kind = if rng.bool() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    indeterminate(call, kind, "no answer came")
}

fn moment(rng: &mut Rng) -> Moment {
    if rng.bool() { Moment::Before } else { Moment::After }
}
