//! The start of a copy.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use super::progress::CopyProgress;
use super::report::{CopyReport, CopyVerification};
use super::settings::Settings;
use super::stores::Stores;
use super::task::Task;
use crate::background::driver::JobDriver;
use crate::background::job::Job;
use crate::background::job_settings::JobHandle;
use crate::model::{Error, Result, Space};
use crate::runtime::Home;
use crate::storage::Adapter;

/// A copy of what is stored in one place to another; made by [`copy()`].
#[derive(Debug, Clone)]
#[must_use = "nothing is copied until it is started"]
pub struct Copy {
    stores: Stores,
    settings: Settings,
}

/// Copies every document of every space from one store to another, byte for byte: to change the
/// storage of a program, to make a backup, to bring one back.
///
/// It copies page by page in bounded memory. After each page it stores a checkpoint in the target,
/// in a space of PState's own: a copy that was canceled, or killed, resumes there when it is
/// started again. When everything is copied, it reads both stores side by side and compares every
/// byte. Nothing is written to the source, nothing is deleted in the target, and PState's own
/// spaces are not copied. Values are not looked into: documents of any version, and what is not
/// JSON, arrive as they are.
///
/// Copy from a store without writers. What is written to it during the copy may be copied or not;
/// the [verification](CopyReport::verification) shows it as a difference, and the same copy, run
/// again, writes what differs. If the last page has changed, the source is not recognized, and the
/// copy has to be allowed to [overwrite](Copy::overwrite).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
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
/// # Ok(())
/// # }
/// ```
pub fn copy(from: Arc<dyn Adapter>, to: Arc<dyn Adapter>) -> Copy {
    Copy { stores: Stores { from, to }, settings: Settings::default() }
}

impl Copy {
    /// Only this space; asked for several times, only these. [`start`](Self::start) refuses a space
    /// in which the source holds no documents, and [`verify`](Self::verify) one in which neither
    /// store holds any: the name is most likely misspelled.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed name, or one of PState's
    /// own.
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
    /// A store is asked for a number of documents, not of bytes. So this is an aim: the next page
    /// is as long as it may be if its documents are as large as those of the last, and at most
    /// twice as long as that; the first has 64.
    pub fn page_bytes(mut self, bytes: usize) -> Self {
        self.settings.page_bytes = NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// How many documents of the source a second it reads, at most; 0, the default, for no limit.
    /// It can be changed while it runs: [`Job::set_rate`].
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.settings.rate = NonZeroU32::new(documents_per_second);
        self
    }

    /// Whether it may write to spaces that hold documents already. By default it refuses to, unless
    /// an unfinished copy of the same source has left them there.
    ///
    /// It then compares each page with what is there, and writes only what is missing or differs,
    /// also where an unfinished copy that did not overwrite has copied it. An unfinished copy that
    /// did is resumed. Documents that are only in the target stay; the verification
    /// [reports](CopyVerification::extra) them.
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

    /// Starts the copy, or resumes an unfinished copy of the same source. It runs in a task of its
    /// own until it has copied everything, is [canceled](Job::cancel), or the returned job is
    /// dropped.
    ///
    /// The source is recognized by the last page that was copied, which is read once more. Two
    /// copies of one source into one target at once do not damage it: each writes what it has read.
    /// A copy that is complete removes its checkpoint; the same copy is then refused as any other
    /// is, and [`verify`](Self::verify) says that everything is there. If a copy ended after the
    /// last page and before that, the next one only compares, and writes nothing unless it may
    /// [overwrite](Self::overwrite).
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a space of the target, which the error
    /// names, holds documents already, also one that the source does not have, and the copy may not
    /// [overwrite](Self::overwrite) them; if the source holds no documents in a
    /// [named](Self::space) space; or if both stores are the same.
    /// [`Config`](crate::ErrorKind::Config) outside of a Tokio runtime with timers. Those of the
    /// stores.
    ///
    /// [`Job::wait`] returns the errors of the stores that do not pass, or have not passed after
    /// all [attempts](Self::attempts). Started again, the copy resumes where it was. A report is
    /// not yet a success: see [`CopyReport::is_complete`].
    ///
    /// # Cost
    /// One read of the target for each space, and one page of each space that it resumes. One count
    /// of the documents where a store [can](crate::CountVersions).
    ///
    /// # Cancel safety
    /// Dropping the future leaves both stores as they were.
    pub async fn start(self) -> Result<Job<CopyProgress, CopyReport>> {
        let (handle, task) = self.task()?;
        let home = Home::current("starting a copy").map_err(|error| error.in_operation("copy"))?;
        let prepared = task.prepare().await.map_err(|error| error.of_operation("copy"))?;
        let progress = prepared.progress();
        Ok(Job::start("copy", &home, handle, progress, prepared.run()))
    }

    /// Starts it and waits for its end: [`start`](Self::start) and [`Job::wait`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels it after the current page.
    pub async fn run(self) -> Result<CopyReport> {
        self.start().await?.wait().await
    }

    /// Compares both stores, byte by byte, and writes nothing. It keeps to
    /// [`space`](Self::space), [`page_size`](Self::page_size), [`rate`](Self::rate) and
    /// [`keep_failures`](Self::keep_failures).
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if neither store holds documents in a
    /// [named](Self::space) space, or if both stores are the same; those of the stores. The
    /// differences stand in what it returns.
    ///
    /// # Cost
    /// One scan of each store.
    ///
    /// # Cancel safety
    /// Dropping the future ends it.
    pub async fn verify(self) -> Result<CopyVerification> {
        // As long as the handle is kept, the comparison continues.
        let (_handle, task) = self.task()?;
        task.verify().await.map_err(|error| error.of_operation("copy"))
    }

    fn task(self) -> Result<(JobHandle, Task)> {
        if Arc::ptr_eq(&self.stores.from, &self.stores.to) {
            let why = "source and target are the same store";
            return Err(Error::invalid_input(why).in_operation("copy"));
        }
        let (rate, attempts) = (self.settings.rate, Some(self.settings.attempts));
        let (handle, driver) = JobDriver::new(rate, None, attempts, CopyProgress::new());
        Ok((handle, Task::new(self.stores, self.settings, driver)))
    }
}
