//! Filling the cache before anybody reads.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use tokio::sync::watch;

use crate::adapter::Scan;
use crate::backoff::unavailable_delay;
use crate::cache_policy::CachePolicy;
use crate::control::{Control, Controlled, Controller, control};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::key::{AsKey, Key};
use crate::migrated::is_passing;
use crate::pace::Pace;
use crate::preload::{Loaded, Plan, Preload};
use crate::pstate::PState;
use crate::runtime::{Instant, sleep_until};
use crate::space::Space;
use crate::telemetry::Operation;

/// How many documents are read at once unless something else is asked for.
const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// How many failures are kept.
const FAILURES_KEPT: usize = 100;

/// What to read into the cache, part by part; see [`PState::warm`].
#[derive(Debug, Default)]
#[must_use = "nothing is read until it is handed to `PState::warm`"]
pub struct Warm {
    parts: Vec<Part>,
    page_size: Option<NonZeroUsize>,
    rate: Option<NonZeroU32>,
}

#[derive(Debug)]
enum Part {
    Keys(Vec<Key>),
    Prefix(String),
    Preload(Key, Plan),
}

impl Warm {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These documents.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key.
    pub fn keys<K: AsKey>(mut self, keys: impl IntoIterator<Item = K>) -> Result<Self> {
        let keys = keys.into_iter().map(|key| key.to_key()).collect::<Result<_>>()?;
        self.parts.push(Part::Keys(keys));
        Ok(self)
    }

    /// All documents whose key begins with a prefix: `"base_card:"` for all of a type.
    ///
    /// They are read twice: once to learn the keys, once like all reads, so that nothing is cached
    /// that somebody has written meanwhile.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.parts.push(Part::Prefix(prefix.to_owned()));
        self
    }

    /// A document with what it refers to, as in [`PState::preload`]. What cannot be read is counted,
    /// and what else there is is read all the same.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key or preload.
    pub fn preload<P>(mut self, key: impl AsKey, preload: P) -> Result<Self>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let preload = preload.try_into()?.keep_going();
        self.parts.push(Part::Preload(key.to_key()?, Plan::new(&preload)?));
        Ok(self)
    }

    /// How many documents are read at once: 256 by default, at least 1. A preload reads each of its
    /// levels at once.
    pub fn page_size(mut self, size: usize) -> Self {
        self.page_size = NonZeroUsize::new(size);
        self
    }

    /// How many documents a second are read, at most; 0, the default, for no limit.
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.rate = NonZeroU32::new(documents_per_second);
        self
    }
}

/// What warming is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarmState {
    /// It reads, or waits because of its rate.
    Running,
    /// The store is unavailable; it tries again.
    Waiting,
    /// It has read everything.
    Finished,
    /// It has ended because the cache is full: to go on would only evict what it has read.
    Full,
    /// It was told to stop, or its handle was closed.
    Stopped,
}

/// How far warming has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WarmProgress {
    /// What it is doing.
    pub state: WarmState,
    /// How many documents there are to read, if only keys were asked for.
    pub total: Option<usize>,
    /// Documents that were read, or were cached already.
    pub done: usize,
    /// Keys under which nothing is stored.
    pub absent: usize,
    /// Documents that could not be read.
    pub failed: usize,
    /// Why; the first 100.
    pub failures: Vec<Error>,
    /// Documents per second, lately.
    pub rate: f64,
    /// Why it waits, if it does.
    pub unavailable: Option<Error>,
}

impl WarmProgress {
    /// Whether it has ended, for whatever reason.
    pub fn is_ended(&self) -> bool {
        !matches!(self.state, WarmState::Running | WarmState::Waiting)
    }

    fn fail(&mut self, error: Error) {
        self.failed += 1;
        if self.failures.len() < FAILURES_KEPT {
            self.failures.push(error);
        }
    }
}

impl fmt::Display for WarmProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, absent, failed, rate, .. } = self;
        write!(f, "{done}")?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(f, ": {absent} absent, {failed} failed, {rate:.0}/s")?;
        match &self.unavailable {
            Some(error) => write!(f, ", waiting: {error}"),
            None => Ok(()),
        }
    }
}

impl PState {
    /// Reads documents into the cache, in the background.
    ///
    /// They are read like all others: what is old is migrated and queued, what is written meanwhile
    /// is never overtaken, what is cached already costs nothing. It ends when everything is read, or
    /// when the cache is full.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # use pstate_core::{MemoryAdapter, PState, Warm, WarmState};
    /// # let adapter = Arc::new(MemoryAdapter::new());
    /// # PState::builder(adapter.clone()).build()?.put("card:1", &serde_json::json!({})).await?;
    /// # let pstate = PState::builder(adapter).build()?;
    /// let warming = pstate.warm(
    ///     Warm::new().preload("deck:es", "cards.translations")?.prefix("card:").rate(5_000),
    /// )?;
    /// println!("{}", warming.progress());
    /// let warmed = warming.wait().await;
    /// assert_eq!((warmed.state, warmed.done), (WarmState::Finished, 1));
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the handle is closed. What cannot be read is
    /// [reported](WarmProgress::failures); while the store is unavailable, it waits.
    pub fn warm(&self, warm: Warm) -> Result<RunningWarm> {
        let engine = self.engine().clone();
        engine.check_open().map_err(|error| error.in_operation("warm"))?;
        let total = warm.parts.iter().try_fold(0, |total, part| match part {
            Part::Keys(keys) => Some(total + keys.len()),
            Part::Prefix(_) | Part::Preload(..) => None,
        });
        let progress = watch::Sender::new(WarmProgress {
            state: WarmState::Running,
            total,
            done: 0,
            absent: 0,
            failed: 0,
            failures: Vec::new(),
            rate: 0.0,
            unavailable: None,
        });
        let (control, controlled) = control(warm.rate);
        let running = RunningWarm { control, progress: progress.subscribe() };
        let begun = engine.background.begin();
        let task = Task {
            evictions: engine.cache.counters().evictions(),
            space: self.current_space().clone(),
            page_size: warm.page_size.unwrap_or(PAGE_SIZE),
            pace: Pace::default(),
            control: controlled,
            progress,
            engine,
        };
        task.engine.runtime.clone().spawn(async move {
            task.run(warm.parts).await;
            drop(begun);
        });
        Ok(running)
    }
}

/// Warming that was started. Dropping it stops it after the page at hand.
#[derive(Debug)]
#[must_use = "dropping it stops the warming"]
pub struct RunningWarm {
    control: Controller,
    progress: watch::Receiver<WarmProgress>,
}

impl RunningWarm {
    /// How far it has come.
    pub fn progress(&self) -> WarmProgress {
        self.progress.borrow().clone()
    }

    /// Waits until there is progress that was not seen by this method before, and returns it. When
    /// it has ended, it returns at once.
    pub async fn changed(&mut self) -> WarmProgress {
        // An error says that the task has ended; then the last progress is the last.
        _ = self.progress.changed().await;
        self.progress.borrow_and_update().clone()
    }

    /// Changes how many documents a second are read, at most; 0 for no limit. Takes effect at once.
    pub fn set_rate(&self, documents_per_second: u32) {
        self.control.set_rate(documents_per_second);
    }

    /// Ends it after the page at hand, and says how far it has come.
    pub async fn stop(self) -> WarmProgress {
        self.control.stop();
        self.wait().await
    }

    /// Waits for its end, and says how far it has come.
    ///
    /// # Cancel safety
    /// Dropping the future stops it after the page at hand.
    pub async fn wait(mut self) -> WarmProgress {
        // An error says that the task has ended.
        _ = self.progress.wait_for(WarmProgress::is_ended).await;
        self.progress()
    }
}

struct Task {
    engine: Arc<Engine>,
    space: Space,
    page_size: NonZeroUsize,
    pace: Pace,
    /// How many there had been when it began.
    evictions: u64,
    control: Controlled,
    progress: watch::Sender<WarmProgress>,
}

/// Why it ends before everything is read.
struct Ended(WarmState);

impl Task {
    async fn run(mut self, parts: Vec<Part>) {
        let mut state = WarmState::Finished;
        for part in parts {
            let ended = match part {
                Part::Keys(keys) => self.read_keys(&keys).await,
                Part::Prefix(prefix) => self.read_prefix(prefix).await,
                Part::Preload(key, plan) => self.preload(&key, &plan).await,
            };
            if let Err(Ended(why)) = ended {
                state = why;
                break;
            }
        }
        self.progress.send_modify(|progress| progress.state = state);
    }

    async fn read_keys(&mut self, keys: &[Key]) -> Result<(), Ended> {
        let mut left = keys;
        while !left.is_empty() {
            let page_size = self.begin_page().await?.get().min(left.len());
            let (page, rest) = left.split_at(page_size);
            self.read(page).await?;
            self.pace.end_page(Instant::now(), page.len());
            left = rest;
        }
        Ok(())
    }

    async fn read_prefix(&mut self, prefix: String) -> Result<(), Ended> {
        let mut scan = Scan { prefix, after: None, limit: self.page_size };
        loop {
            scan.limit = self.begin_page().await?;
            let mut failed = 0;
            let page = loop {
                match self.engine.adapter.scan(&self.space, &scan).await {
                    Ok(page) => break page,
                    Err(error) => self.wait_after(error, &mut failed).await?,
                }
            };
            let len = page.records.len();
            let keys: Vec<Key> = page.records.into_iter().map(|(key, _)| key).collect();
            self.progress.send_modify(|progress| {
                page.unreadable.into_iter().for_each(|error| progress.fail(error));
            });
            self.read(&keys).await?;
            self.pace.end_page(Instant::now(), len);
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn preload(&mut self, key: &Key, plan: &Plan) -> Result<(), Ended> {
        self.begin_page().await?;
        let mut failed = 0;
        loop {
            let loaded = self.engine.preload(&self.space, key, plan, CachePolicy::Use).await;
            let passing = match &loaded {
                Ok(Some(loaded)) => loaded.failures().iter().find(|error| is_passing(error)),
                Ok(None) => None,
                Err(error) => Some(error).filter(|error| is_passing(error)),
            };
            if let Some(error) = passing {
                self.wait_after(error.clone(), &mut failed).await?;
                continue;
            }
            let len = loaded.as_ref().map_or(0, |loaded| loaded.as_ref().map_or(0, Loaded::len));
            self.pace.end_page(Instant::now(), len);
            let rate = self.pace.rate();
            self.progress.send_modify(|progress| {
                (progress.done, progress.rate) = (progress.done + len, rate);
                match loaded {
                    Ok(None) => progress.absent += 1,
                    Ok(Some(loaded)) => {
                        progress.absent += loaded.dangling().len();
                        loaded.failures().iter().for_each(|error| progress.fail(error.clone()));
                    }
                    Err(error) => progress.fail(error),
                }
            });
            return Ok(());
        }
    }

    /// Reads a page, however often it takes.
    async fn read(&mut self, keys: &[Key]) -> Result<(), Ended> {
        let mut failed = 0;
        let documents = loop {
            let started = self.engine.telemetry.begin();
            let load = self.engine.load(Operation::Warm, &self.space, keys, CachePolicy::Use);
            let loaded = load.await;
            let asked = (&self.space, keys.first().map(Key::borrow), keys.len());
            self.engine.telemetry.end(Operation::Warm, asked, started);
            let errors = loaded.documents.iter().filter_map(|document| document.as_ref().err());
            match errors.into_iter().find(|error| is_passing(error)) {
                None => break loaded.documents,
                Some(error) => self.wait_after(error.clone(), &mut failed).await?,
            }
        };
        let rate = self.pace.rate();
        self.progress.send_modify(|progress| {
            progress.rate = rate;
            for document in documents {
                match document {
                    Ok(Some(_)) => progress.done += 1,
                    Ok(None) => progress.absent += 1,
                    Err(error) => progress.fail(error),
                }
            }
        });
        Ok(())
    }

    /// Waits until the next page may begin, and says how long it may be.
    async fn begin_page(&mut self) -> Result<NonZeroUsize, Ended> {
        let cache = &self.engine.cache;
        if cache.is_full() && cache.counters().evictions() > self.evictions {
            return Err(Ended(WarmState::Full));
        }
        loop {
            let wanted = self.wanted()?;
            let now = Instant::now();
            let due = self.pace.due(wanted.rate, now);
            if due <= now {
                self.pace.begin_page(now);
                return Ok(wanted.limit(self.page_size));
            }
            self.wait_until(due).await;
        }
    }

    /// Waits before the store is asked again.
    async fn wait_after(&mut self, error: Error, failed: &mut u32) -> Result<(), Ended> {
        let due = Instant::now() + unavailable_delay(*failed);
        *failed += 1;
        self.show(WarmState::Waiting, Some(error));
        while Instant::now() < due {
            self.wanted()?;
            self.wait_until(due).await;
        }
        self.pace.interrupt();
        self.show(WarmState::Running, None);
        Ok(())
    }

    fn show(&self, state: WarmState, unavailable: Option<Error>) {
        self.progress.send_modify(|progress| {
            (progress.state, progress.unavailable) = (state, unavailable);
        });
    }

    /// What is wanted, unless it is to stop.
    fn wanted(&mut self) -> Result<Control, Ended> {
        let wanted = self.control.wanted().filter(|_| !self.engine.background.is_closing());
        wanted.ok_or(Ended(WarmState::Stopped))
    }

    /// Waits until then, or something else is wanted.
    async fn wait_until(&mut self, due: Instant) {
        let closing = self.engine.background.closing();
        tokio::select! {
            biased;
            () = closing => {}
            () = self.control.changed() => {}
            () = sleep_until(due) => {}
        }
    }
}
