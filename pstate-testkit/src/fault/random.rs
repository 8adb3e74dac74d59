//! Faults from a seed.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pstate_core::ErrorKind;

use super::kind::{Fault, Wait, not_reached, uncertain};
use super::script::{Call, Moment};

/// How many calls after the one that lost the connection find none, at most.
const LONGEST_LOSS: u32 = 7;

/// How likely each fault is for a call, from 0 to 1; what they are is in the table of
/// [`FaultLayer`](super::FaultLayer). A call has one fault at most: they are drawn in the order of
/// the methods, and the first that is hit it has.
///
/// ```
/// use std::time::Duration;
/// use pstate_testkit::FaultRates;
///
/// let slow = FaultRates::none().delay(0.5).longest_delay(Duration::from_secs(2));
/// let lossy = FaultRates::default().lost_connection(0.1);
/// assert_ne!(slow, lossy);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRates {
    fail_before: f64,
    fail_after: f64,
    fail_early: f64,
    lost_connection: f64,
    delay: f64,
    reorder: f64,
    longest_delay: Duration,
}

impl Default for FaultRates {
    /// About every third call has a fault, every eighth an error.
    fn default() -> Self {
        Self::none()
            .fail_before(0.05)
            .fail_after(0.03)
            .fail_early(0.03)
            .lost_connection(0.005)
            .delay(0.1)
            .reorder(0.1)
    }
}

impl FaultRates {
    /// No faults. Delays, should any be asked for, take up to 5 ms.
    pub const fn none() -> Self {
        Self {
            fail_before: 0.0,
            fail_after: 0.0,
            fail_early: 0.0,
            lost_connection: 0.0,
            delay: 0.0,
            reorder: 0.0,
            longest_delay: Duration::from_millis(5),
        }
    }

    /// Fails without having any effect.
    pub const fn fail_before(mut self, rate: f64) -> Self {
        self.fail_before = rate;
        self
    }

    /// Has its effect and is then reported as failed.
    pub const fn fail_after(mut self, rate: f64) -> Self {
        self.fail_after = rate;
        self
    }

    /// Is reported as failed and then has its effect, after a delay.
    pub const fn fail_early(mut self, rate: f64) -> Self {
        self.fail_early = rate;
        self
    }

    /// Loses the connection: for this call, up to seven that follow, and those under way.
    pub const fn lost_connection(mut self, rate: f64) -> Self {
        self.lost_connection = rate;
        self
    }

    /// Reaches the adapter later, or is answered later.
    pub const fn delay(mut self, rate: f64) -> Self {
        self.delay = rate;
        self
    }

    /// Reaches the adapter, or is answered, after the next call.
    pub const fn reorder(mut self, rate: f64) -> Self {
        self.reorder = rate;
        self
    }

    /// How long a delay is at most. Default: 5 ms.
    pub const fn longest_delay(mut self, delay: Duration) -> Self {
        self.longest_delay = delay;
        self
    }
}

/// Draws the faults of calls.
#[derive(Debug)]
pub(super) struct RandomFaults {
    rates: FaultRates,
    rng: Rng,
}

impl RandomFaults {
    pub(super) fn new(seed: u64, rates: FaultRates) -> Self {
        Self { rates, rng: Rng::with_seed(seed) }
    }

    /// The fault of the next call.
    pub(super) fn draw(&mut self, call: Call) -> Option<Fault> {
        // A generator of its own for each call: how much one uses does not change the next.
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

fn no_answer(call: Call, rng: &mut Rng) -> pstate_core::Error {
    let kind = if rng.bool() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    uncertain(call, kind, "no answer came")
}

fn moment(rng: &mut Rng) -> Moment {
    if rng.bool() { Moment::Before } else { Moment::After }
}
