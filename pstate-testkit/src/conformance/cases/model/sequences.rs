use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::run::run;
use super::step::{Step, steps};
use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::context::Context;

cases! { "model";
    #[random] sequences [Visibility Write]: "An adapter is an ordered map from (space, key) to bytes, with compare-and-swap.",
}

async fn sequences(context: &Context) -> CaseResult {
    // Proptest is not async: it blocks this thread.
    block_in_place(|| {
        for seed in context.rounds(48) {
            sequence(context, seed)?;
        }
        Ok(())
    })
}

/// Runs a random sequence, and shrinks it if it fails.
fn sequence(context: &Context, seed: u64) -> CaseResult {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        max_shrink_iters: 2_000,
        max_shrink_time: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let last = RefCell::new(None);
    let result = runner.run(&steps(), |steps| {
        run_blocking(context, &steps).map_err(|error| {
            let reason = format!("{error:?}");
            *last.borrow_mut() = Some(error);
            TestCaseError::fail(reason)
        })
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Abort(reason)) => Err(CaseError::mismatch("a sequence to run", reason)),
        Err(TestError::Fail(_, minimal)) => {
            // Runs the minimal sequence again, so that the log shows that one.
            let error = run_blocking(context, &minimal).err().or_else(|| last.take());
            let error =
                error.unwrap_or_else(|| CaseError::mismatch("the same failure again", "none"));
            Err(error.with_operations(context.log().lines()).with_seed(seed))
        }
    }
}

fn run_blocking(context: &Context, steps: &[Step]) -> CaseResult {
    Handle::current().block_on(run(context, steps))
}
