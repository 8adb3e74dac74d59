//! The test of the suite itself: for each fault, the case that must find it fails the adapter with
//! that fault, and the same adapter without a fault passes all cases.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapter;
mod change_feed;
mod crossed;
mod crossing;
mod fault;
mod log_file;
mod maintenance;
mod read;
mod scan;
mod store;
mod table;
mod write;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pstate_core::{Adapter, Error, ErrorKind, Key, Result, Space};
use pstate_testkit::conformance::{Case, Harness, Suite, Verdict};
use pstate_testkit::{Level, Settings};

use crate::adapter::LogAdapter;
use crate::crossed::CrossedAdapter;
use crate::crossing::Crossed;
use crate::fault::Fault;

#[derive(Clone, Copy)]
struct Log {
    fault: Option<Fault>,
    /// Declares atomicity by key, batches of four writes, and values of 70,000 bytes.
    narrow: bool,
}

impl Log {
    fn path(id: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{id}.log"))
    }

    fn open_log(self, id: &str) -> Result<LogAdapter> {
        let opened = LogAdapter::open(&Self::path(id), self.fault, self.narrow);
        opened.map_err(|error| Error::new(ErrorKind::Unavailable, "not opened").caused_by(error))
    }
}

#[async_trait]
impl Harness for Log {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        Ok(Arc::new(self.open_log(id)?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        match std::fs::remove_file(Self::path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::Other, "not removed").caused_by(error))
            }
            _ => Ok(()),
        }
    }

    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        self.open_log(id)?.damage(space, key);
        Ok(true)
    }
}

fn suite() -> Suite {
    let mut suite = Suite::new()
        .store("right", Log { fault: None, narrow: false })
        .store("narrow", Log { fault: None, narrow: true })
        .store(crossing::RIGHT.name, Occasional(crossing::RIGHT));
    for &crossed in crossing::ALL {
        suite = suite.store(crossed.name, Occasional(crossed));
    }
    for &fault in Fault::ALL {
        suite = suite.store(fault.name(), Log { fault: Some(fault), narrow: false });
    }
    suite
}

/// A store whose adapter is wrong on some occasions.
struct Occasional(Crossed);

#[async_trait]
impl Harness for Occasional {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        let is_reopened = Log::path(id).metadata().is_ok_and(|file| file.len() > 0);
        let mut inner = Log { fault: None, narrow: false }.open_log(id)?;
        if self.0.limits_values() {
            inner.capabilities = inner.capabilities.max_value_len(70_000);
        }
        Ok(Arc::new(CrossedAdapter::open(id, inner, self.0, is_reopened).await?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        Log { fault: None, narrow: false }.remove(id).await
    }
}

fn main() -> ExitCode {
    suite().serve_as_child();
    let mut trials = Vec::new();
    for case in Suite::cases() {
        for store in ["right", "narrow", crossing::RIGHT.name] {
            trials.push(Trial::ignorable_test(
                format!("{store}_passes::{}", case.name),
                move || match suite().check(store, case, &Settings::from_env()) {
                    Verdict::Passed => Ok(Completion::Completed),
                    Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                    Verdict::Failed(violation) => Err(violation.to_string().into()),
                },
            ));
        }
    }
    for &fault in Fault::ALL {
        let name = format!("found::{}::by::{}", fault.name(), fault.case());
        trials.push(Trial::ignorable_test(name, move || is_found(fault)));
    }
    for crossed in crossing::ALL {
        let name = format!("found::{}::by::{}", crossed.name, crossed.case);
        trials.push(Trial::ignorable_test(name, move || crossed_is_found(crossed)));
    }
    trials.push(Trial::test("the_tables_in_the_readme_are_current", table::are_current));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn crossed_is_found(crossed: &Crossed) -> Result<Completion, Failed> {
    let case: &'static Case = Suite::cases()
        .find(|case| case.name == crossed.case)
        .ok_or_else(|| format!("there is no case {}", crossed.case))?;
    let settings = Settings { level: Level::Full, ..Settings::from_env() };
    match suite().check(crossed.name, case, &settings) {
        Verdict::Failed(_) => Ok(Completion::Completed),
        Verdict::Ignored(reason) => Err(format!("the case is ignored: {reason}").into()),
        Verdict::Passed => Err(format!("it passes, though it {}", crossed.what).into()),
    }
}

fn is_found(fault: Fault) -> Result<Completion, Failed> {
    let case: &'static Case = Suite::cases()
        .find(|case| case.name == fault.case())
        .ok_or_else(|| format!("there is no case {}", fault.case()))?;
    let mut settings = Settings::from_env();
    if fault.hangs() {
        settings.time_limit = Duration::from_secs(5);
    }
    match suite().check(fault.name(), case, &settings) {
        Verdict::Failed(violation) if violation.case == fault.case() => Ok(Completion::Completed),
        Verdict::Failed(violation) => Err(format!("found by {}", violation.case).into()),
        Verdict::Ignored(reason) if fault == Fault::CutsAt31Bits => {
            Ok(Completion::ignored_with(reason))
        }
        Verdict::Ignored(reason) => Err(format!("the case is ignored: {reason}").into()),
        Verdict::Passed => Err(format!("it passes, though it {}", fault.what()).into()),
    }
}
