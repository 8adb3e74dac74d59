//! Defects that the scenarios have to find.

use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::scenarios::{one_handle, two_handles_that_agree};
use crate::schedules::check;
use crate::store::{Fault, Store};

/// Fails unless the scenario does, over a store with a fault.
fn find<F: Future<Output = ()> + Send + 'static>(
    fault: Fault,
    scenario: impl Fn(Arc<Store>) -> F + Send + Sync + Copy + RefUnwindSafe + 'static,
) {
    let failed = catch_unwind(|| check(move || scenario(Store::with_fault(fault))));
    let why = failed.expect_err("the defect was not found").downcast::<String>().unwrap();
    let invariants = [" holds ", "acknowledged", "is cached"];
    assert!(invariants.iter().any(|invariant| why.contains(invariant)), "{why}");
}

#[test]
fn write_backs_that_expect_nothing_are_found() {
    find(Fault::ExpectsNothing, one_handle);
}

#[test]
fn writes_that_are_answered_too_early_are_found() {
    find(Fault::AnswersTooEarly, one_handle);
}

#[test]
fn changes_that_are_not_told_are_found() {
    find(Fault::TellsNothing, two_handles_that_agree);
}
