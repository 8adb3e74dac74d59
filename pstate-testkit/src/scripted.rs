//! Making chosen calls of an adapter fail or wait.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Error, Key, Outcome, Page, Record, Result, Scan, Space,
};
use tokio::sync::Semaphore;

/// A layer that follows a script: the next calls of a kind fail, or are held.
///
/// Instructions for one kind of call are carried out in the order in which they were given, one for
/// each call; calls without an instruction pass.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use pstate_core::{Error, ErrorKind, MemoryAdapter, PState};
/// use pstate_testkit::{Call, ScriptedLayer};
///
/// let scripted = Arc::new(ScriptedLayer::new(Arc::new(MemoryAdapter::new())));
/// let pstate = PState::builder(scripted.clone()).build()?;
/// scripted.fail(Call::Read, Error::new(ErrorKind::Unavailable, "gone"));
/// assert!(pstate.get("card:1").await.is_err());
/// assert!(pstate.get("card:1").await?.is_none());
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct ScriptedLayer {
    inner: Arc<dyn Adapter>,
    reads: Mutex<VecDeque<Instruction>>,
    writes: Mutex<VecDeque<Instruction>>,
    scans: Mutex<VecDeque<Instruction>>,
}

/// Which calls an instruction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `multi_get`
    Read,
    /// `write`
    Write,
    /// `scan`
    Scan,
}

/// Where a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the adapter is asked.
    Before,
    /// After the adapter has answered, before the caller gets the answer.
    After,
}

#[derive(Debug)]
enum Instruction {
    Fail(Error),
    FailAfter(Error),
    Panic,
    Hold(Moment, Arc<Gate>),
}

#[derive(Debug)]
struct Gate {
    reached: Semaphore,
    open: Semaphore,
}

/// A call that is held, or will be; see [`ScriptedLayer::hold`]. When it is dropped, the call goes
/// on.
#[derive(Debug)]
pub struct Hold {
    gate: Arc<Gate>,
}

impl Hold {
    /// Returns when the call has come to the point where it is held.
    pub async fn reached(&self) {
        // The gate is never closed, so this is never an error.
        let _ = self.gate.reached.acquire().await.map(tokio::sync::SemaphorePermit::forget);
    }

    /// Lets the call go on.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.open.add_permits(1);
    }
}

impl ScriptedLayer {
    /// Every call passes until something else is asked for.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self { inner, reads: Mutex::default(), writes: Mutex::default(), scans: Mutex::default() }
    }

    /// The next call of this kind fails without having any effect.
    pub fn fail(&self, call: Call, error: Error) {
        self.instruct(call, Instruction::Fail(error));
    }

    /// The next call of this kind has its effect and is then reported as failed.
    pub fn fail_after(&self, call: Call, error: Error) {
        self.instruct(call, Instruction::FailAfter(error));
    }

    /// The next call of this kind panics.
    pub fn panic(&self, call: Call) {
        self.instruct(call, Instruction::Panic);
    }

    /// The next call of this kind is held until the returned value is released or dropped.
    pub fn hold(&self, call: Call, moment: Moment) -> Hold {
        let gate = Arc::new(Gate { reached: Semaphore::new(0), open: Semaphore::new(0) });
        self.instruct(call, Instruction::Hold(moment, gate.clone()));
        Hold { gate }
    }

    fn queue(&self, call: Call) -> &Mutex<VecDeque<Instruction>> {
        match call {
            Call::Read => &self.reads,
            Call::Write => &self.writes,
            Call::Scan => &self.scans,
        }
    }

    fn instruct(&self, call: Call, instruction: Instruction) {
        self.queue(call).lock().push_back(instruction);
    }

    async fn follow<T>(&self, call: Call, inner: impl Future<Output = Result<T>>) -> Result<T> {
        let instruction = self.queue(call).lock().pop_front();
        match instruction {
            None => inner.await,
            Some(Instruction::Fail(error)) => Err(error),
            Some(Instruction::FailAfter(error)) => inner.await.and(Err(error)),
            Some(Instruction::Panic) => panic!("the script says so"),
            Some(Instruction::Hold(Moment::Before, gate)) => {
                gate.pass().await;
                inner.await
            }
            Some(Instruction::Hold(Moment::After, gate)) => {
                let result = inner.await;
                gate.pass().await;
                result
            }
        }
    }
}

impl Gate {
    async fn pass(&self) {
        self.reached.add_permits(1);
        // The gate is never closed, so this is never an error.
        let _ = self.open.acquire().await.map(tokio::sync::SemaphorePermit::forget);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for ScriptedLayer {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.follow(Call::Read, self.inner.multi_get(space, keys)).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.follow(Call::Write, self.inner.write(space, batch)).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.follow(Call::Scan, self.inner.scan(space, scan)).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.inner.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
