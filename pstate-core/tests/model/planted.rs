//! Planted defects, which the scenarios must find.

use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::scenarios::{one_handle, two_fresh_handles};
use crate::schedules::check;
use crate::store::{Fault, Store};

/// Checks that the scenario fails over a store with this fault.
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
fn write_backs_without_expectations_are_found() {
    find(Fault::IgnoresExpectations, one_handle);
}

#[test]
fn writes_that_are_answered_early_are_found() {
    find(Fault::AnswersEarly, one_handle);
}

#[test]
fn unreported_changes_are_found() {
    find(Fault::ReportsNothing, two_fresh_handles);
}
