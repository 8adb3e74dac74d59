//! Short constructors for the keys, spaces and writes of cases.

use pstate_core::{Expect, Key, Space, Write};

#[expect(clippy::expect_used, reason = "the suite's own keys are well-formed")]
pub(super) fn key(text: &str) -> Key {
    text.parse().expect("a key of the suite")
}

#[expect(clippy::expect_used, reason = "the suite's own spaces are well-formed")]
pub(super) fn space(name: &str) -> Space {
    name.parse().expect("a space of the suite")
}

pub(super) fn put(name: &str, value: &str) -> Write {
    Write::put(key(name), value.as_bytes())
}

pub(super) fn put_if(name: &str, value: &str, expect: Expect) -> Write {
    put(name, value).expecting(expect)
}
