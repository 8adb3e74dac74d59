//! The task that warms the cache.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::progress::{WarmProgress, WarmReport};
use super::warm::{Part, Warm};
use crate::background::driver::{Ended, JobDriver};
use crate::background::job::Job;
use crate::cache::CachePolicy;
use crate::document::Document;
use crate::engine::{Engine, load_graph};
use crate::model::{Error, Key, Result, Space};
use crate::preload::{Loaded, Preload};
use crate::runtime::Instant;
use crate::storage::Scan;
use crate::telemetry::{Call, JobState, Operation};

struct Task {
    engine: Arc<Engine>,
    space: Space,
    page_size: NonZeroUsize,
    /// How many documents had been evicted when it began.
    evicted_before: u64,
    driver: JobDriver<WarmProgress>,
}

/// Why it ends before everything is read.
enum Stop {
    CacheFull,
    Ended(Ended),
}

impl From<Ended> for Stop {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

/// Starts to read documents into the cache.
pub(crate) fn start(
    engine: &Arc<Engine>,
    space: &Space,
    warm: Warm,
) -> Job<WarmProgress, WarmReport> {
    let started = Instant::now();
    let closing = engine.tasks().closing();
    let progress = WarmProgress::new(warm.total());
    let (handle, driver) = JobDriver::new(warm.rate, Some(closing), None, progress);
    let task = Task {
        engine: engine.clone(),
        space: space.clone(),
        page_size: warm.documents_at_once(),
        evicted_before: engine.cache().counters().evicted_documents(),
        driver,
    };
    let (token, progress) = (engine.tasks().track(), task.driver.subscribe());
    let work = async move {
        let report = task.run(warm.parts, started).await;
        drop(token);
        report
    };
    Job::start("warm", engine.home(), handle, progress, work)
}

impl Task {
    async fn run(mut self, parts: Vec<Part>, started: Instant) -> Result<WarmReport> {
        let mut cache_full = false;
        let mut state = JobState::Finished;
        for part in parts {
            let read = match part {
                Part::Keys(keys) => self.read_keys(&keys).await,
                Part::Prefix(prefix) => self.read_prefix(prefix).await,
                Part::Preload(key, preload) => self.read_graph(&key, &preload).await,
            };
            match read {
                Ok(()) => {}
                Err(Stop::CacheFull) => {
                    cache_full = true;
                    break;
                }
                Err(Stop::Ended(Ended::Canceled)) => {
                    state = JobState::Canceled;
                    break;
                }
                Err(Stop::Ended(Ended::Failed(error))) => {
                    self.driver.set_state(JobState::Failed);
                    return Err(error.in_space(&self.space));
                }
            }
        }
        self.driver.set_state(state);
        let WarmProgress { done, absent, failed, failures, .. } = self.driver.progress();
        let finished = state == JobState::Finished && !cache_full;
        let duration = started.elapsed();
        Ok(WarmReport { finished, cache_full, done, absent, failed, failures, duration })
    }

    fn call(&self) -> Call<'_> {
        self.engine.call("warm", &self.space, None)
    }

    async fn read_keys(&mut self, keys: &[Key]) -> Result<(), Stop> {
        let mut left = keys;
        while !left.is_empty() {
            let page_size = self.begin_page().await?.get().min(left.len());
            let (page, rest) = left.split_at(page_size);
            self.read(page).await?;
            left = rest;
        }
        Ok(())
    }

    async fn read_prefix(&mut self, prefix: String) -> Result<(), Stop> {
        let mut scan = Scan { prefix, after: None, limit: self.page_size };
        loop {
            scan.limit = self.begin_page().await?;
            let read_page = || self.engine.adapter().scan(&self.space, &scan);
            let page = self.driver.attempt(read_page).await?;
            let keys: Vec<Key> = page.records.into_iter().map(|(key, _)| key).collect();
            let call = self.engine.call("warm", &self.space, None);
            self.driver.publish(|progress| {
                page.unreadable.into_iter().for_each(|error| progress.fail(call.locate(error)));
            });
            self.read(&keys).await?;
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn read_graph(&mut self, key: &Key, preload: &Preload) -> Result<(), Stop> {
        self.begin_page().await?;
        let mut failed = 0;
        loop {
            let call = self.engine.call("warm", &self.space, Some(key.borrow()));
            let loaded = load_graph(&self.engine, call, key, preload, CachePolicy::Use).await;
            let transient = match &loaded {
                Ok(Some(loaded)) => loaded.failures().iter().find(|error| error.is_transient()),
                Ok(None) => None,
                Err(error) => Some(error).filter(|error| error.is_transient()),
            };
            if let Some(error) = transient {
                self.driver.wait_after(error.clone(), &mut failed).await?;
                continue;
            }
            let len = loaded.as_ref().map_or(0, |loaded| loaded.as_ref().map_or(0, Loaded::len));
            self.driver.end_page(len, |progress| {
                progress.done += len;
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

    /// Reads a page, however often it takes, and ends it.
    async fn read(&mut self, keys: &[Key]) -> Result<(), Stop> {
        let mut failed = 0;
        let documents = loop {
            let documents = self.load(keys).await?;
            match transient_error(documents.iter()) {
                None => break documents,
                Some(error) => self.driver.wait_after(error, &mut failed).await?,
            }
        };
        let call = self.engine.call("warm", &self.space, None);
        self.driver.end_page(keys.len(), |progress| {
            for document in documents {
                match document {
                    Ok(Some(_)) => progress.done += 1,
                    Ok(None) => progress.absent += 1,
                    Err(error) => progress.fail(call.locate(error)),
                }
            }
        });
        Ok(())
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Result<Option<Document>>>, Ended> {
        let operation = self.engine.operation(self.call(), Operation::Warm, keys.len());
        let loading =
            async { Ok(self.engine.load(&operation, keys, CachePolicy::Use, None).await) };
        let loads = operation.run(loading).await?;
        operation.end(keys.first().map(Key::borrow), keys.len());
        Ok(loads.documents)
    }

    /// Waits until the next page may begin, and says how long it may be.
    async fn begin_page(&mut self) -> Result<NonZeroUsize, Stop> {
        if self.engine.cache().is_full(self.evicted_before) {
            return Err(Stop::CacheFull);
        }
        Ok(self.driver.begin_page(self.page_size).await?)
    }
}

/// The first error that may pass.
fn transient_error<'a, T: 'a>(results: impl Iterator<Item = &'a Result<T>>) -> Option<Error> {
    results.filter_map(|result| result.as_ref().err()).find(|error| error.is_transient()).cloned()
}
