//! Running cases: as named tests of a program of their own, or one by one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::case::{Broken, Case, Stop};
use super::cases;
use super::child;
use super::harness::Harness;
use super::test::Test;
use super::violation::{Violation, replay};
use crate::settings::Settings;

/// The cases, and the stores that they are held against.
///
/// [`conformance!`](crate::conformance!) is what most need. With this several stores are tested by
/// one program, or single cases are checked from other tests.
#[derive(Default)]
pub struct Suite {
    stores: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    harness: Arc<dyn Harness>,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The contract was kept.
    Passed,
    /// The case doesn't apply, for this reason.
    Ignored(String),
    /// The contract is broken.
    Failed(Box<Violation>),
}

impl Suite {
    /// A suite for no store yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a store. Its cases are called `name::area::what`, or `area::what` if the name is
    /// empty.
    pub fn store(mut self, name: &'static str, harness: impl Harness) -> Self {
        self.stores.push(Entry { name, harness: Arc::new(harness) });
        self
    }

    /// Runs the program: every case as a test of its own, chosen by the arguments that
    /// `cargo test` passes on.
    ///
    /// The settings come from the environment, see [`Settings`].
    pub fn run(self) -> ExitCode {
        self.serve_as_child();
        let settings = Settings::from_env();
        let mut trials = Vec::new();
        for entry in &self.stores {
            for case in cases::all() {
                let (entry, settings) = (entry.clone(), settings.clone());
                let name = full_name(entry.name, case);
                trials.push(Trial::ignorable_test(name, move || {
                    match check(&entry, case, &settings) {
                        Verdict::Passed => Ok(Completion::Completed),
                        Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                        Verdict::Failed(violation) => Err(Failed::from(violation.to_string())),
                    }
                }));
            }
        }
        libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
    }

    /// Ends the process after the work of a child, if it was started as one: durability is tested
    /// by starting this program again and killing it.
    ///
    /// [`run`](Self::run) begins with this. A program that uses [`check`](Self::check) instead
    /// calls it first in `main`.
    pub fn serve_as_child(&self) {
        if let Some(task) = child::task() {
            let store = self.stores.iter().find(|entry| entry.name == task.store);
            let done = store.is_some_and(|entry| child::work(&*entry.harness, &task));
            process::exit(i32::from(!done));
        }
    }

    /// Holds one store against one case.
    ///
    /// # Panics
    /// If there is no store of that name.
    pub fn check(&self, store: &str, case: &'static Case, settings: &Settings) -> Verdict {
        match self.stores.iter().find(|entry| entry.name == store) {
            Some(entry) => check(entry, case, settings),
            None => panic!("the suite has no store {store:?}"),
        }
    }

    /// All cases, in the order in which they are run.
    pub fn cases() -> impl Iterator<Item = &'static Case> {
        cases::all()
    }
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stores.iter().map(|entry| entry.name)).finish()
    }
}

fn full_name(store: &str, case: &Case) -> String {
    if store.is_empty() { case.name.to_owned() } else { format!("{store}::{}", case.name) }
}

/// Runs a case on a thread of its own, so that an adapter that blocks for ever ends in a verdict
/// and not in silence.
fn check(entry: &Entry, case: &'static Case, settings: &Settings) -> Verdict {
    static STORES: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:x}-{:x}", process::id(), STORES.fetch_add(1, Relaxed));
    let test = Test::new(entry.harness.clone(), settings.clone(), entry.name, id);
    let test = Arc::new(test);
    let (done, verdict) = mpsc::sync_channel(1);
    let runner = {
        let test = test.clone();
        thread::Builder::new().name(case.name.to_owned()).spawn(move || {
            // The receiver is gone only after the time limit.
            let _ = done.send(run_to_end(&test, case));
        })
    };
    let stop = match runner.map(|_| verdict.recv_timeout(settings.time_limit)) {
        Err(error) => Err(Stop::broken("a thread for the case", error)),
        Ok(Ok(result)) => result,
        Ok(Err(RecvTimeoutError::Disconnected)) => Err(Stop::broken("an end", "a panic")),
        Ok(Err(RecvTimeoutError::Timeout)) => Err(hanging(&test, settings.time_limit)),
    };
    match stop {
        Ok(()) => Verdict::Passed,
        Err(Stop::Ignored(reason)) => Verdict::Ignored(reason),
        Err(Stop::Broken(broken)) => {
            let seed = broken.seed.unwrap_or(settings.seed);
            Verdict::Failed(Box::new(Violation {
                case: case.name,
                clause: case.clause,
                expected: broken.expected,
                got: broken.got,
                operations: broken.operations.unwrap_or_else(|| test.log().lines()),
                replay: replay(&full_name(entry.name, case), case, seed),
            }))
        }
    }
}

fn run_to_end(test: &Arc<Test>, case: &'static Case) -> Result<(), Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Stop::broken("a runtime", error))?;
    let run = AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut result = run_if_it_applies(test, case).await;
            // At once: other tasks of the case may still go on.
            if let Err(Stop::Broken(broken)) = &mut result {
                broken.operations.get_or_insert_with(|| test.log().lines());
            }
            // What a broken store can't remove is not worth a second report.
            let removed = test.remove().await;
            result.and(removed)
        })
    });
    let result = catch_unwind(run)
        .unwrap_or_else(|panic| Err(Stop::broken("no panic", message(panic.as_ref()))));
    // Tasks that hang must not keep the verdict back.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn run_if_it_applies(test: &Test, case: &'static Case) -> Result<(), Stop> {
    let store = test.open().await?;
    let capabilities = test.capabilities.get_or_init(|| store.capabilities());
    let lacking = case.needs.lacking(capabilities);
    store.close().await?;
    test.renew().await?;
    match lacking {
        Some(reason) => Err(Stop::Ignored(reason.to_owned())),
        None => (case.run)(test).await,
    }
}

fn hanging(test: &Test, limit: Duration) -> Stop {
    let lines = test.log().lines();
    let unanswered: Vec<String> =
        lines.iter().filter(|line| line.contains("(no answer)")).cloned().collect();
    let got = format!("{} calls that were not answered for {limit:?}", unanswered.len());
    let mut broken = Broken::new("an answer to every call", got);
    broken.operations = Some(if unanswered.is_empty() { lines } else { unanswered });
    Stop::Broken(broken)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a panic: {}", text.unwrap_or("without a message"))
}
