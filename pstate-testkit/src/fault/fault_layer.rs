use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Error, Extensions, Key, Outcome, Page, Record, Result, Scan,
    Space,
};

use super::call::Call;
use super::call_in_flight::CallInFlight;
use super::connection::Connection;
use super::fault::Fault;
use super::fault_rates::FaultRates;
use super::gate::Gate;
use super::hold::Hold;
use super::in_flight::InFlight;
use super::moment::Moment;
use super::random_faults::RandomFaults;
use super::script::Script;
use super::wait::Wait;
use crate::recording::{Answer, OperationLog, Request};

/// A layer that injects faults into calls: faults that a test schedules, and random ones from a
/// seed. It makes calls fail, holds them at a chosen point, or reorders them, so that a test of a
/// race runs a fixed sequence.
///
/// | fault | what the caller sees | does the call take effect? | scheduled by | at random |
/// |---|---|---|---|---|
/// | fails before | an error; at random `Unavailable`, retryable | no | [`fail`](Self::fail) | `fail_before` |
/// | fails after | an error; at random `Timeout` or `Unavailable`, not retryable | yes, before the answer | [`fail_after`](Self::fail_after) | `fail_after` |
/// | fails early | the same | yes, after the answer | [`fail_early`](Self::fail_early) | `fail_early` |
/// | delay | the adapter's answer, later | yes | [`delay`](Self::delay) | `delay` |
/// | reorder | the adapter's answer, after the next call's | yes, after the next call's | [`reorder`](Self::reorder) | `reorder` |
/// | no connection | `Unavailable`, retryable | no | [`disconnect`](Self::disconnect) | `lost_connection` |
/// | connection lost under way | `Unavailable`, not retryable | yes, at its own time | [`disconnect`](Self::disconnect) | `lost_connection` |
/// | hold | the adapter's answer, when the test releases it | yes | [`hold`](Self::hold) | |
/// | panic | a panic | no | [`panic`](Self::panic) | |
///
/// Only `write` and `close` change something. An error of another method is always retryable, as
/// the contract of [`Adapter`] demands, unless the test supplies the error.
///
/// *Scheduled* faults of one kind of call happen in the order in which the test scheduled them, one
/// for each call. All other calls pass. A call that finds no connection consumes no scheduled
/// fault.
///
/// *Random* faults: [`seeded`](Self::seeded) draws once for each call, in the order in which the
/// calls begin, so that the fault of the n-th call depends only on the seed and on n. A scheduled
/// fault replaces the drawn one. [`heal`](Self::heal) ends random faults.
///
/// The [log](Self::log) records every call with its fault. Calls need a Tokio runtime with a timer;
/// a test may pause its clock.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use pstate_core::{Error, ErrorKind, MemoryAdapter, PState};
/// use pstate_testkit::{Call, FaultLayer};
///
/// let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
/// let pstate = PState::builder(faults.clone()).build()?;
/// faults.fail(Call::Read, Error::new(ErrorKind::Unavailable, "gone"));
/// assert!(pstate.get("card:1").await.is_err());
/// assert!(pstate.get("card:1").await?.is_none());
/// assert_eq!(
///     faults.log().lines(),
///     [
///         "  1  multi_get(default: card:1) -> error (unavailable): gone   \
///          [fault: fails before its effect]",
///         "  2  multi_get(default: card:1) -> [none]",
///     ],
/// );
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultLayer {
    inner: Arc<dyn Adapter>,
    log: Arc<OperationLog>,
    in_flight: InFlight,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    random: Option<RandomFaults>,
    connection: Connection,
    /// The call that waits for the answer to the next one.
    overtaken: Option<Hold>,
}

impl FaultLayer {
    /// A layer without faults, until the test schedules some.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self { inner, log: Arc::default(), in_flight: InFlight::default(), state: Mutex::default() }
    }

    /// A layer with random faults. The same seed and rates give the same faults for the same
    /// sequence of calls.
    pub fn seeded(inner: Arc<dyn Adapter>, seed: u64, rates: FaultRates) -> Self {
        let layer = Self::new(inner);
        layer.state.lock().random = Some(RandomFaults::new(seed, rates));
        layer
    }

    /// The log of all calls with their faults, in the order in which they began.
    pub fn log(&self) -> &Arc<OperationLog> {
        &self.log
    }

    /// The next call of this kind fails and has no effect.
    pub fn fail(&self, call: Call, error: Error) {
        self.schedule(call, Fault::Fail(error));
    }

    /// The next call of this kind takes effect and then fails.
    pub fn fail_after(&self, call: Call, error: Error) {
        self.schedule(call, Fault::FailAfter(error));
    }

    /// The next call of this kind fails at once, and takes effect when the returned hold is
    /// released or dropped.
    pub fn fail_early(&self, call: Call, error: Error) -> Hold {
        self.schedule_held(call, |wait| Fault::FailEarly(error, wait))
    }

    /// The next call of this kind panics and has no effect.
    pub fn panic(&self, call: Call) {
        self.schedule(call, Fault::Panic);
    }

    /// The next call of this kind waits until the returned hold is released or dropped.
    pub fn hold(&self, call: Call, moment: Moment) -> Hold {
        self.schedule_held(call, |wait| Fault::Wait(moment, wait))
    }

    /// The next call of this kind reaches the adapter after this delay.
    pub fn delay(&self, call: Call, delay: Duration) {
        self.schedule(call, Fault::Wait(Moment::Before, Wait::Delayed(delay)));
    }

    /// The next call of this kind reaches the adapter only after the call that follows it, of
    /// any kind, is answered.
    ///
    /// It waits at most 10 ms, because a program that makes one call after the other never makes
    /// the following one. With Tokio's clock paused, that is until all other tasks are idle.
    pub fn reorder(&self, call: Call) {
        self.schedule(call, Fault::Wait(Moment::Before, Wait::Overtaken(Arc::default())));
    }

    /// Cuts the connection until [`reconnect`](Self::reconnect). New calls, and calls that have not
    /// reached the adapter, fail with a retryable
    /// [`Unavailable`](pstate_core::ErrorKind::Unavailable). Calls that have reached it take
    /// effect, and fail with an `Unavailable` that is not retryable.
    pub fn disconnect(&self) {
        self.state.lock().connection.cut();
    }

    /// Restores the connection after [`disconnect`](Self::disconnect), for future calls.
    pub fn reconnect(&self) {
        self.state.lock().connection.restore();
    }

    /// Ends random faults, including a connection that was lost at random. Scheduled faults stay.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.random = None;
        state.connection.heal();
    }

    /// Waits until no call is in flight, and calls that failed early have taken effect.
    pub async fn settled(&self) {
        self.in_flight.idle().await;
    }

    fn schedule(&self, call: Call, fault: Fault) {
        self.state.lock().script.push(call, fault);
    }

    fn schedule_held(&self, call: Call, fault: impl FnOnce(Wait) -> Fault) -> Hold {
        let gate = Arc::new(Gate::default());
        let hold = Hold::on(&gate);
        self.schedule(call, fault(Wait::Held(gate)));
        hold
    }

    /// Decides the fault of a call and records that the call begins; both under one lock, so that
    /// the log lists the calls in the order of the draws.
    fn begin(&self, call: Call, request: Request) -> (Option<Fault>, CallInFlight<'_>) {
        let mut state = self.state.lock();
        let overtaken = state.overtaken.take();
        let drawn = state.random.as_mut().and_then(|random| random.draw(call));
        let fault = if state.connection.admit() {
            state.script.next(call).or(drawn)
        } else {
            Some(Fault::NoConnection)
        };
        match &fault {
            Some(Fault::LoseConnection(calls)) => state.connection.lose(*calls),
            Some(Fault::Wait(_, Wait::Overtaken(gate))) => {
                state.overtaken = Some(Hold::on(gate));
            }
            _ => {}
        }
        let id = self.log.begin(request, fault.as_ref().map(Fault::name));
        let losses = state.connection.losses();
        let guard = self.in_flight.begin();
        (fault, CallInFlight { call, log: &self.log, id, losses, guard, overtaken })
    }

    async fn intercept<T: Answer + Send + 'static>(
        &self,
        call: Call,
        request: Request,
        inner: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (fault, call) = self.begin(call, request);
        call.run(fault, inner).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for FaultLayer {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        self.inner.extensions()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let (inner, space, keys) = (self.inner.clone(), space.clone(), keys.to_vec());
        let request = Request::MultiGet(space.clone(), keys.clone());
        self.intercept(Call::Read, request, async move { inner.multi_get(&space, &keys).await })
            .await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let (inner, space, batch) = (self.inner.clone(), space.clone(), batch.clone());
        let request = Request::Write(space.clone(), batch.clone());
        self.intercept(Call::Write, request, async move { inner.write(&space, &batch).await }).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let (inner, space, scan) = (self.inner.clone(), space.clone(), scan.clone());
        let request = Request::Scan(space.clone(), scan.clone());
        self.intercept(Call::Scan, request, async move { inner.scan(&space, &scan).await }).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let inner = self.inner.clone();
        self.intercept(Call::Spaces, Request::Spaces, async move { inner.spaces().await }).await
    }

    async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        self.intercept(Call::Flush, Request::Flush, async move { inner.flush().await }).await
    }

    async fn close(&self) -> Result<()> {
        let inner = self.inner.clone();
        self.intercept(Call::Close, Request::Close, async move { inner.close().await }).await
    }
}
