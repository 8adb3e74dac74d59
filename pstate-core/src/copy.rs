//! Moving between stores.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::adapter::Adapter;
use crate::control::{Controller, control};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Handle;
use crate::space::Space;

mod checkpoint;
mod digest;
mod pages;
mod progress;
mod steering;
mod task;
mod verify;

pub use progress::{
    CopyDifference, CopyDifferenceKind, CopyFailure, CopyProgress, CopyReport, CopyState,
    CopyVerification, SpaceDigest, SpaceVerification,
};
use task::{Stores, Task};

/// A copy of what is stored in one place to another; made by [`copy()`].
#[derive(Debug, Clone)]
#[must_use = "nothing is copied until it is started"]
pub struct Copy {
    stores: Stores,
    settings: Settings,
}

#[derive(Debug, Clone)]
struct Settings {
    /// Only these spaces, in ascending order; all if there are none.
    spaces: Vec<Space>,
    page_size: NonZeroUsize,
    page_bytes: NonZeroUsize,
    rate: Option<NonZeroU32>,
    overwrite: bool,
    verify: bool,
    keep_failures: usize,
    attempts: u32,
}

/// Copies every document of every space from one store to another, byte for byte: to change the
/// storage of a program, to make a backup, to bring one back.
///
/// It goes page by page in bounded memory. After each page it notes in the target how far it has
/// come, in a space of PState's own: a copy that was stopped, or killed, goes on there when it is
/// started again. When everything is copied, it reads both stores side by side and compares every
/// byte. Nothing is written to the source, nothing is deleted in the target, and PState's own spaces
/// are not copied. What is copied is not looked into: documents of any version, and what is no JSON,
/// arrive as they are.
///
/// Copy from a store that nobody writes to. What is written to it meanwhile may be copied or not; the
/// [verification](CopyReport::verification) shows it as a difference, and the same copy, run again,
/// writes what differs; where the last page was changed it is taken for another source, and has to be
/// allowed to [overwrite](Copy::overwrite).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use pstate_core::{MemoryAdapter, PState, copy};
/// use serde_json::json;
///
/// let (from, to) = (Arc::new(MemoryAdapter::new()), Arc::new(MemoryAdapter::new()));
/// let pstate = PState::builder(from.clone()).build()?;
/// pstate.put("card:1", &json!({"front": "hola"})).await?;
///
/// let copying = copy(from, to.clone()).rate(5_000).start().await?;
/// println!("{}", copying.progress());
/// let report = copying.wait().await?;
/// assert!(report.is_complete(), "{report}");
///
/// let pstate = PState::builder(to).build()?;
/// assert!(pstate.get("card:1").await?.is_some());
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
pub fn copy(from: Arc<dyn Adapter>, to: Arc<dyn Adapter>) -> Copy {
    let settings = Settings {
        spaces: Vec::new(),
        page_size: NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN),
        page_bytes: NonZeroUsize::new(4 << 20).unwrap_or(NonZeroUsize::MIN),
        rate: None,
        overwrite: false,
        verify: true,
        keep_failures: 100,
        attempts: 10,
    };
    Copy { stores: Stores { from, to }, settings }
}

impl Copy {
    /// Only this space; asked for several times, only these.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a malformed name, or one of PState's own.
    pub fn space(mut self, name: &str) -> Result<Self> {
        let space: Space = name.parse()?;
        space.check_usable()?;
        let spaces = &mut self.settings.spaces;
        if let Err(at) = spaces.binary_search(&space) {
            spaces.insert(at, space);
        }
        Ok(self)
    }

    /// How many documents are read and written at once, at most: 512 by default, at least 1.
    pub fn page_size(mut self, documents: usize) -> Self {
        self.settings.page_size = NonZeroUsize::new(documents).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// How many bytes a page is to have, at most: 4 MiB by default.
    ///
    /// A store is asked for a number of documents, not of bytes. So this is an aim: the next page is
    /// as long as it may be if its documents are as large as those of the last, and at most twice as
    /// long as that; the first has 64.
    pub fn page_bytes(mut self, bytes: usize) -> Self {
        self.settings.page_bytes = NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// How many documents of the source a second it reads, at most; 0, the default, for no limit. It
    /// can be changed while it runs: [`RunningCopy::set_rate`].
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.settings.rate = NonZeroU32::new(documents_per_second);
        self
    }

    /// Whether it may write to spaces that hold documents already. By default it refuses to, unless
    /// an unfinished copy of the same source has left them there.
    ///
    /// It then compares each page with what is there, and writes only what is missing or differs; also
    /// what an unfinished copy that did not overwrite has copied. One that did, and was stopped, is gone
    /// on with. Documents that are only in the target stay; the verification [reports](CopyVerification::extra)
    /// them.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.settings.overwrite = overwrite;
        self
    }

    /// Whether both stores are compared in the end: by default they are. Otherwise use
    /// [`verify`](Self::verify) later.
    pub fn verify_afterwards(mut self, verify: bool) -> Self {
        self.settings.verify = verify;
        self
    }

    /// How many failures and how many differences a report holds, with space and key: the first 100
    /// of each by default. All are counted.
    pub fn keep_failures(mut self, count: usize) -> Self {
        self.settings.keep_failures = count;
        self
    }

    /// How often a call is tried while a store is unavailable, with growing pauses in between: 10
    /// times by default, which takes about half a minute. At least once.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts.max(1);
        self
    }

    /// Starts it, or goes on where an earlier one of the same source was that did not come to the
    /// end. It runs in a task of its own until it is done, until it is [stopped](RunningCopy::stop),
    /// or the returned value is dropped.
    ///
    /// Whether it is the same source is told by reading the last page once more that was copied. Two
    /// copies of one source into one target at once do not damage it: each writes what it has read. What a copy
    /// notes is gone when it is complete; then the same copy is refused as any other is, and
    /// [`verify`](Self::verify) tells that everything is there. If it was ended after the last page
    /// and before that, the next one only compares, and writes nothing unless it may
    /// [overwrite](Self::overwrite).
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a space of the target, which is named, holds
    /// documents already, also one that the source does not have, and it may not [overwrite](Self::overwrite) them; or if both stores are
    /// one. [`Config`](ErrorKind::Config) outside of a Tokio runtime. Those of the stores.
    ///
    /// # Cost
    /// One read of the target for each space, and one page of each space that it goes on with. One
    /// count of the documents where a store [can](crate::CountVersions).
    ///
    /// # Cancel safety
    /// Dropping the future leaves both stores as they were.
    pub async fn start(self) -> Result<RunningCopy> {
        let (control, task) = self.task()?;
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Config, "a copy is started inside a Tokio runtime")
                .in_operation("copy")
                .caused_by(error)
        })?;
        let prepared = task.prepare().await.map_err(|error| error.in_operation("copy"))?;
        let progress = prepared.progress();
        let (done, report) = oneshot::channel();
        runtime.spawn(async move {
            let ended = prepared.run().await;
            // Nobody may be interested any more.
            _ = done.send(ended.map_err(|error| error.in_operation("copy")));
        });
        Ok(RunningCopy { control, progress, report })
    }

    /// Starts it and waits for its end: [`start`](Self::start) and [`wait`](RunningCopy::wait).
    ///
    /// # Cancel safety
    /// Dropping the future stops it after the page at hand.
    pub async fn run(self) -> Result<CopyReport> {
        self.start().await?.wait().await
    }

    /// Compares both stores, byte by byte, and writes nothing. It keeps to
    /// [`space`](Self::space), [`page_size`](Self::page_size), [`rate`](Self::rate) and
    /// [`keep_failures`](Self::keep_failures).
    ///
    /// # Errors
    /// Those of the stores. What differs stands in what it returns.
    ///
    /// # Cost
    /// One scan of each store.
    ///
    /// # Cancel safety
    /// Dropping the future ends it.
    pub async fn verify(self) -> Result<CopyVerification> {
        // As long as it is kept, the comparison goes on.
        let (_control, task) = self.task()?;
        task.verify().await.map_err(|error| error.in_operation("copy"))
    }

    fn task(self) -> Result<(Controller, Task)> {
        if Arc::ptr_eq(&self.stores.from, &self.stores.to) {
            let why = "source and target are one and the same";
            return Err(Error::invalid_input(why).in_operation("copy"));
        }
        let (control, controlled) = control(self.settings.rate);
        Ok((control, Task::new(self.stores, self.settings, controlled)))
    }
}

/// A copy that was started. Dropping it stops the copy after the page at hand.
#[derive(Debug)]
#[must_use = "dropping it stops the copy"]
pub struct RunningCopy {
    control: Controller,
    progress: watch::Receiver<CopyProgress>,
    report: oneshot::Receiver<Result<CopyReport>>,
}

impl RunningCopy {
    /// How far it has come.
    pub fn progress(&self) -> CopyProgress {
        self.progress.borrow().clone()
    }

    /// Waits until there is progress that was not seen by this method before, and returns it. When
    /// the copy has ended, it returns at once.
    pub async fn changed(&mut self) -> CopyProgress {
        // An error says that the task has ended; then the last progress is the last.
        _ = self.progress.changed().await;
        self.progress.borrow_and_update().clone()
    }

    /// Changes how many documents of the source a second it reads, at most; 0 for no limit. Takes
    /// effect at once.
    pub fn set_rate(&self, documents_per_second: u32) {
        self.control.set_rate(documents_per_second);
    }

    /// Halts it after the page at hand, until it is [resumed](Self::resume).
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.control.resume();
    }

    /// Ends it after the page at hand, and says what it has done. Started again, it goes on there.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn stop(self) -> Result<CopyReport> {
        self.control.stop();
        self.wait().await
    }

    /// Waits for its end. A report is not yet a success: see [`CopyReport::is_complete`].
    ///
    /// # Errors
    /// Those of the stores that do not pass, or have not passed after so many
    /// [attempts](Copy::attempts). Started again, it goes on where it was.
    ///
    /// # Cancel safety
    /// Dropping the future stops the copy after the page at hand.
    pub async fn wait(self) -> Result<CopyReport> {
        let ended = self.report.await;
        ended.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Other, "the copy ended without a report")
                .in_operation("copy"))
        })
    }
}
