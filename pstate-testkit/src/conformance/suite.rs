use std::fmt;
use std::process::{self, ExitCode};
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::case::Case;
use super::cases;
use super::harness::Harness;
use super::peer;
use super::runner::Runner;
use super::verdict::Verdict;
use super::writer_process;
use crate::settings::Settings;

/// The conformance suite for one or more stores.
///
/// Most programs use [`conformance!`](crate::conformance!). A `Suite` tests several stores in one
/// program, or checks single cases from other tests.
#[derive(Default)]
pub struct Suite {
    runners: Vec<Runner>,
}

impl Suite {
    /// A suite without stores.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a store. Its cases are called `name::area::what`, or `area::what` if the name is empty.
    pub fn store(mut self, name: &'static str, harness: impl Harness) -> Self {
        self.runners.push(Runner {
            store: name,
            harness: Arc::new(harness),
            known: Arc::default(),
        });
        self
    }

    /// Runs the program: each case is a test of its own, selected by the arguments that `cargo
    /// test` passes on.
    ///
    /// The settings come from the environment, see [`Settings`].
    pub fn run(self) -> ExitCode {
        self.serve_as_child();
        let settings = Settings::from_env();
        let mut trials = Vec::new();
        for runner in &self.runners {
            for case in cases::all() {
                let (runner, settings) = (runner.clone(), settings.clone());
                trials.push(Trial::ignorable_test(runner.full_name(case), move || {
                    match runner.check(case, &settings) {
                        Verdict::Passed => Ok(Completion::Completed),
                        Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                        Verdict::Failed(violation) => Err(Failed::from(violation.to_string())),
                    }
                }));
            }
        }
        libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
    }

    /// If this process was started as a child of the suite, does the work of the child and exits.
    /// The suite tests durability by starting its own program again and killing it.
    ///
    /// [`run`](Self::run) begins with this call. A program that uses [`check`](Self::check) instead
    /// calls it first in `main`.
    pub fn serve_as_child(&self) {
        let done = if let Some(task) = writer_process::task() {
            self.runner(&task.store).is_some_and(|runner| task.run(&*runner.harness))
        } else if let Some(task) = peer::task() {
            self.runner(&task.store).is_some_and(|runner| task.run(&*runner.harness))
        } else {
            return;
        };
        process::exit(i32::from(!done));
    }

    /// Checks one store against one case.
    ///
    /// # Panics
    /// If there is no store of that name.
    pub fn check(&self, store: &str, case: &'static Case, settings: &Settings) -> Verdict {
        match self.runner(store) {
            Some(runner) => runner.check(case, settings),
            None => panic!("the suite has no store {store:?}"),
        }
    }

    /// All cases, in the order in which they run.
    pub fn cases() -> impl Iterator<Item = &'static Case> {
        cases::all().iter()
    }

    fn runner(&self, store: &str) -> Option<&Runner> {
        self.runners.iter().find(|runner| runner.store == store)
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.runners.iter().map(|runner| runner.store)).finish()
    }
}
