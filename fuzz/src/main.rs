//! libFuzzer on one target, which the environment names. `cargo xtask fuzz` builds and starts it.

#![no_main]

use std::env;
use std::sync::LazyLock;

use pstate_fuzz::{TARGETS, Target};

/// The target's name, in the environment: the arguments are libFuzzer's.
const NAME: &str = "PSTATE_FUZZ_TARGET";

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var(NAME).unwrap_or_default();
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("{NAME}={name:?} names no target"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
