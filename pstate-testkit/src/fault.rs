//! Making calls of an adapter fail, wait, or come in the wrong order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Error, Extensions, Key, Outcome, Page, Record, Result, Scan,
    Space,
};

use crate::operation::{Answer, Request};
use crate::recording::OperationLog;

mod connection;
mod gate;
mod kind;
mod random;
mod script;
mod under_way;

use connection::Connection;
use gate::Gate;
pub use gate::Hold;
use kind::{Fault, Wait};
pub use random::FaultRates;
use random::RandomFaults;
use script::Script;
pub use script::{Call, Moment};
use under_way::{CallUnderWay, CallsUnderWay};

/// A layer that puts faults into calls: those that a test asks for, and random ones from a seed.
///
/// | fault | what the caller sees | does the call take effect? | asked for by | at random |
/// |---|---|---|---|---|
/// | fails before | an error; at random `Unavailable`, retryable | no | [`fail`](Self::fail) | `fail_before` |
/// | fails after | an error; at random `Timeout` or `Unavailable`, not retryable | yes, before the answer | [`fail_after`](Self::fail_after) | `fail_after` |
/// | fails early | the same | yes, after the answer | [`fail_early`](Self::fail_early) | `fail_early` |
/// | delay | the adapter's answer, later | yes | [`delay`](Self::delay) | `delay` |
/// | reorder | the adapter's answer, after the next call's | yes, after the next call's | [`reorder`](Self::reorder) | `reorder` |
/// | no connection | `Unavailable`, retryable | no | [`disconnect`](Self::disconnect) | `lost_connection` |
/// | connection lost under way | `Unavailable`, not retryable | yes, at its own time | [`disconnect`](Self::disconnect) | `lost_connection` |
/// | hold | the adapter's answer, when it is released | yes | [`hold`](Self::hold) | |
/// | panic | a panic | no | [`panic`](Self::panic) | |
///
/// Only `write` and `close` change something: an error of another method is retryable in any case,
/// as the contract of [`Adapter`] says, unless the test brings its own.
///
/// *Asked for*: what was asked for one kind of call happens in the order in which it was asked, one
/// for each call; further calls pass. A call that finds no connection uses nothing up.
///
/// *At random*: [`seeded`](Self::seeded) draws once for each call, in the order in which the calls
/// come, so that the n-th call's fault depends on the seed and on n alone. A call for which the
/// test has asked something has that instead. [`heal`](Self::heal) ends it.
///
/// Every call is recorded with its fault in the [log](Self::log). Time is Tokio's, so a test may
/// pause it. Calls run in a Tokio runtime with a timer.
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
    calls: CallsUnderWay,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    random: Option<RandomFaults>,
    connection: Connection,
    /// What waits until the next call has been answered.
    overtaken: Option<Hold>,
}

impl FaultLayer {
    /// Every call passes until something else is asked for.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self {
            inner,
            log: Arc::default(),
            calls: CallsUnderWay::default(),
            state: Mutex::default(),
        }
    }

    /// Puts random faults into the calls. The same seed and rates give the same faults for the same
    /// sequence of calls.
    pub fn seeded(inner: Arc<dyn Adapter>, seed: u64, rates: FaultRates) -> Self {
        let layer = Self::new(inner);
        layer.state.lock().random = Some(RandomFaults::new(seed, rates));
        layer
    }

    /// Every call with its fault, in the order in which they came.
    pub fn log(&self) -> &Arc<OperationLog> {
        &self.log
    }

    /// The next call of this kind fails without having any effect.
    pub fn fail(&self, call: Call, error: Error) {
        self.instruct(call, Fault::Fail(error));
    }

    /// The next call of this kind has its effect and is then reported as failed.
    pub fn fail_after(&self, call: Call, error: Error) {
        self.instruct(call, Fault::FailAfter(error));
    }

    /// The next call of this kind is reported as failed at once, and has its effect when the
    /// returned value is released.
    pub fn fail_early(&self, call: Call, error: Error) -> Hold {
        let gate = Arc::new(Gate::default());
        self.instruct(call, Fault::FailEarly(error, Wait::Held(gate.clone())));
        Hold::of(gate)
    }

    /// The next call of this kind panics without having any effect.
    pub fn panic(&self, call: Call) {
        self.instruct(call, Fault::Panic);
    }

    /// The next call of this kind is held until the returned value is released or dropped.
    pub fn hold(&self, call: Call, moment: Moment) -> Hold {
        let gate = Arc::new(Gate::default());
        self.instruct(call, Fault::Wait(moment, Wait::Held(gate.clone())));
        Hold::of(gate)
    }

    /// The next call of this kind reaches the adapter so much later.
    pub fn delay(&self, call: Call, delay: Duration) {
        self.instruct(call, Fault::Wait(Moment::Before, Wait::Delayed(delay)));
    }

    /// The next call of this kind reaches the adapter only after the call that follows it, of
    /// whatever kind, has been answered.
    ///
    /// It waits 10 ms at most, so that a program that makes one call after the other goes on; with
    /// Tokio's clock paused that is as soon as nobody else has anything to do.
    pub fn reorder(&self, call: Call) {
        self.instruct(call, Fault::Wait(Moment::Before, Wait::Overtaken(Arc::default())));
    }

    /// Cuts the connection: until [`reconnect`](Self::reconnect), every call fails with a retryable
    /// [`Unavailable`](pstate_core::ErrorKind::Unavailable), those included that are on their way to
    /// the adapter. What the adapter is working on, or has done, is answered with an `Unavailable`
    /// that must not be retried, and takes effect.
    pub fn disconnect(&self) {
        self.state.lock().connection.cut();
    }

    /// Ends what [`disconnect`](Self::disconnect) began, for calls that come from now on.
    pub fn reconnect(&self) {
        self.state.lock().connection.restore();
    }

    /// Ends the random faults, also a connection that was lost at random: calls that come from now
    /// on pass. What was asked for stays.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.random = None;
        state.connection.heal();
    }

    /// Returns when no call is under way, and the effects of those that failed early have come.
    pub async fn settled(&self) {
        self.calls.none().await;
    }

    fn instruct(&self, call: Call, fault: Fault) {
        self.state.lock().script.push(call, fault);
    }

    /// Decides a call's fate and records that it came; both under one lock, so that the log has the
    /// calls in the order of the draws.
    fn begin(&self, call: Call, request: Request) -> (Option<Fault>, CallUnderWay<'_>) {
        let mut state = self.state.lock();
        let overtakes = state.overtaken.take();
        let drawn = state.random.as_mut().and_then(|random| random.draw(call));
        let fault = if state.connection.is_there() {
            state.script.next(call).or(drawn)
        } else {
            Some(Fault::NoConnection)
        };
        match &fault {
            Some(Fault::LoseConnection(calls)) => state.connection.lose(*calls),
            Some(Fault::Wait(_, Wait::Overtaken(gate))) => {
                state.overtaken = Some(Hold::of(gate.clone()));
            }
            _ => {}
        }
        let place = self.log.begin(request, fault.as_ref().map(Fault::name));
        let lost = state.connection.subscribe();
        let counted = self.calls.begin();
        (fault, CallUnderWay { call, log: &self.log, place, lost, counted, overtakes })
    }

    async fn follow<T: Answer + Send + 'static>(
        &self,
        call: Call,
        request: Request,
        inner: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (fault, under_way) = self.begin(call, request);
        under_way.carry_out(fault, inner).await
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
        self.follow(Call::Read, request, async move { inner.multi_get(&space, &keys).await }).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let (inner, space, batch) = (self.inner.clone(), space.clone(), batch.clone());
        let request = Request::Write(space.clone(), batch.clone());
        self.follow(Call::Write, request, async move { inner.write(&space, &batch).await }).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let (inner, space, scan) = (self.inner.clone(), space.clone(), scan.clone());
        let request = Request::Scan(space.clone(), scan.clone());
        self.follow(Call::Scan, request, async move { inner.scan(&space, &scan).await }).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let inner = self.inner.clone();
        self.follow(Call::Spaces, Request::Spaces, async move { inner.spaces().await }).await
    }

    async fn flush(&self) -> Result<()> {
        let inner = self.inner.clone();
        self.follow(Call::Flush, Request::Flush, async move { inner.flush().await }).await
    }

    async fn close(&self) -> Result<()> {
        let inner = self.inner.clone();
        self.follow(Call::Close, Request::Close, async move { inner.close().await }).await
    }
}
