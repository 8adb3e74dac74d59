use std::time::Duration;

/// The probability of each fault of a call, from 0 to 1. The table of
/// [`FaultLayer`](super::FaultLayer) describes the faults. A call has at most one fault: they are
/// drawn in the order of the methods below, and the first hit wins.
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
    pub(super) fail_before: f64,
    pub(super) fail_after: f64,
    pub(super) fail_early: f64,
    pub(super) lost_connection: f64,
    pub(super) delay: f64,
    pub(super) reorder: f64,
    pub(super) longest_delay: Duration,
}

impl Default for FaultRates {
    /// Every third call has a fault and every eighth an error, on average.
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
    /// No faults. Delays take up to 5 ms if their rate is set.
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

    /// The call fails and has no effect.
    pub const fn fail_before(mut self, rate: f64) -> Self {
        self.fail_before = rate;
        self
    }

    /// The call takes effect and then fails.
    pub const fn fail_after(mut self, rate: f64) -> Self {
        self.fail_after = rate;
        self
    }

    /// The call fails and then takes effect, after a delay.
    pub const fn fail_early(mut self, rate: f64) -> Self {
        self.fail_early = rate;
        self
    }

    /// The connection is lost: for this call, for up to seven that follow, and for those in flight.
    pub const fn lost_connection(mut self, rate: f64) -> Self {
        self.lost_connection = rate;
        self
    }

    /// The call reaches the adapter later, or is answered later.
    pub const fn delay(mut self, rate: f64) -> Self {
        self.delay = rate;
        self
    }

    /// The call reaches the adapter, or is answered, after the next call.
    pub const fn reorder(mut self, rate: f64) -> Self {
        self.reorder = rate;
        self
    }

    /// The longest delay. Default: 5 ms.
    pub const fn longest_delay(mut self, delay: Duration) -> Self {
        self.longest_delay = delay;
        self
    }
}
