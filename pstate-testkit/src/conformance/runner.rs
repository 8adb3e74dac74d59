use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::case::Case;
use super::case_error::{CaseError, CaseResult};
use super::context::{Context, Known};
use super::harness::Harness;
use super::replay::replay;
use super::runtime::runtime;
use super::verdict::Verdict;
use super::violation::Violation;
use crate::settings::{Level, Settings};

/// Runs cases against one store.
#[derive(Clone)]
pub(super) struct Runner {
    /// The name of the store in the suite.
    pub(super) store: &'static str,
    pub(super) harness: Arc<dyn Harness>,
    pub(super) known: Arc<Known>,
}

impl Runner {
    /// The name of a case with the store.
    pub(super) fn full_name(&self, case: &Case) -> String {
        if self.store.is_empty() {
            case.name.clone()
        } else {
            format!("{}::{}", self.store, case.name)
        }
    }

    /// Runs a case on a thread of its own, so that an adapter that blocks forever fails the case
    /// instead of hanging the program.
    pub(super) fn check(&self, case: &'static Case, settings: &Settings) -> Verdict {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let id = format!("{:x}-{:x}", process::id(), STORES.fetch_add(1, Relaxed));
        let known = self.known.clone();
        let context = Context::new(self.harness.clone(), settings.clone(), self.store, id, known);
        let context = Arc::new(context);
        let (done, result) = mpsc::sync_channel(1);
        let thread = {
            let context = context.clone();
            thread::Builder::new().name(case.name.clone()).spawn(move || {
                // Fails if the time limit has passed: then the receiver is gone.
                let _ = done.send(run(&context, case));
            })
        };
        let result = match thread.map(|_| result.recv_timeout(settings.time_limit)) {
            Err(error) => Err(CaseError::mismatch("a thread for the case", error)),
            Ok(Ok(result)) => result,
            Ok(Err(RecvTimeoutError::Disconnected)) => {
                Err(CaseError::mismatch("an end", "a panic"))
            }
            Ok(Err(RecvTimeoutError::Timeout)) => Err(hanging(&context, settings.time_limit)),
        };
        match result {
            Ok(()) => Verdict::Passed,
            Err(CaseError::Ignored(reason)) => Verdict::Ignored(reason),
            Err(CaseError::Violated(mismatch)) => {
                let seed = mismatch.seed.unwrap_or(settings.seed);
                Verdict::Failed(Box::new(Violation {
                    case: &case.name,
                    clause: case.clause,
                    expected: mismatch.expected,
                    got: mismatch.got,
                    operations: mismatch.operations.unwrap_or_else(|| context.log().lines()),
                    replay: replay(&self.full_name(case), case, seed),
                }))
            }
        }
    }
}

fn run(context: &Context, case: &'static Case) -> CaseResult {
    let runtime = runtime().map_err(|error| CaseError::mismatch("a runtime", error))?;
    let run = AssertUnwindSafe(|| {
        runtime.block_on(async {
            let result = run_if_applicable(context, case).await;
            // Copies the log now, because other tasks of the case may still add to it.
            let result = result.map_err(|error| error.or_operations(|| context.log().lines()));
            // The failure of the case matters more than that of the removal.
            let removed = context.remove().await;
            result.and(removed)
        })
    });
    let result = catch_unwind(run)
        .unwrap_or_else(|panic| Err(CaseError::mismatch("no panic", message(panic.as_ref()))));
    // Tasks that hang must not delay the verdict.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn run_if_applicable(context: &Context, case: &'static Case) -> CaseResult {
    if case.long && context.settings.level == Level::Quick {
        return Err(CaseError::ignored("it takes long: PSTATE_TESTKIT_LEVEL=full runs it"));
    }
    let capabilities = context.read_capabilities().await?;
    let unmet = case.requirements.iter().find_map(|required| required.unmet(&capabilities));
    match unmet {
        Some(reason) => Err(CaseError::ignored(reason)),
        None => (case.run)(context).await,
    }
}

fn hanging(context: &Context, limit: Duration) -> CaseError {
    let log = context.log();
    let operations = log.operations();
    let lines = log.lines();
    let unanswered: Vec<String> = operations
        .iter()
        .zip(&lines)
        .filter(|(operation, _)| operation.response.is_none())
        .map(|(_, line)| line.clone())
        .collect();
    let got = format!("{} calls without an answer for {limit:?}", unanswered.len());
    let shown = if unanswered.is_empty() { lines } else { unanswered };
    CaseError::mismatch("an answer to every call", got).with_operations(shown)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a panic: {}", text.unwrap_or("without a message"))
}
