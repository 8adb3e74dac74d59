//! Defects that the scenarios have to find.

use std::panic::catch_unwind;

use crate::scenarios::one_handle;
use crate::schedules::check;
use crate::store::{Fault, Store};

/// Fails unless the scenario does, over a store with a fault.
fn find(fault: Fault) {
    let failed = catch_unwind(|| check(move || one_handle(Store::with_fault(fault))));
    let why = failed.expect_err("the defect was not found").downcast::<String>().unwrap();
    let invariants = [" holds ", "acknowledged", "is cached"];
    assert!(invariants.iter().any(|invariant| why.contains(invariant)), "{why}");
}

#[test]
fn write_backs_that_expect_nothing_are_found() {
    find(Fault::ExpectsNothing);
}

#[test]
fn writes_that_are_answered_too_early_are_found() {
    find(Fault::AnswersTooEarly);
}
