//! A case: one promise of the contract, and the test of it.

use std::fmt;
use std::pin::Pin;

use pstate_core::{Atomicity, Capabilities, Durability, Error};

use super::test::Test;

/// One promise of the contract, and the test of it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is called: `area::what`.
    pub name: &'static str,
    /// The sentence in the documentation of [`Adapter`](pstate_core::Adapter), or of what goes in
    /// and out of it, that this tests.
    pub clause: &'static str,
    /// Whether it makes random choices, so that its seed matters.
    pub random: bool,
    pub(super) needs: Needs,
    pub(super) run: for<'a> fn(&'a Test) -> Run<'a>,
}

pub(super) type Run<'a> = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'a>>;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What an adapter must have declared for a case to apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    BatchAtomicity,
    KeyAtomicity,
    Durability,
    MaxBatch,
    MaxValueLen,
}

impl Needs {
    /// Why a case doesn't apply, if it doesn't.
    pub(super) fn lacking(self, capabilities: &Capabilities) -> Option<&'static str> {
        let (met, reason) = match self {
            Self::Nothing => (true, ""),
            Self::BatchAtomicity => {
                (capabilities.atomicity == Atomicity::Batch, "it declares Atomicity::Key")
            }
            Self::KeyAtomicity => {
                (capabilities.atomicity == Atomicity::Key, "it declares Atomicity::Batch")
            }
            Self::Durability => {
                (capabilities.durability != Durability::None, "it declares Durability::None")
            }
            Self::MaxBatch => (capabilities.max_batch.is_some(), "it declares no max_batch"),
            Self::MaxValueLen => {
                (capabilities.max_value_len.is_some(), "it declares no max_value_len")
            }
        };
        (!met).then_some(reason)
    }
}

/// Why a case ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The contract is broken.
    Broken(Broken),
    /// It doesn't apply, for this reason.
    Ignored(String),
}

/// What was to be seen, and what was seen.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) expected: String,
    pub(super) got: String,
    /// The operations that show it, if they are fewer than all of the log.
    pub(super) operations: Option<Vec<String>>,
    /// The seed of the round that showed it.
    pub(super) seed: Option<u64>,
}

impl Broken {
    pub(super) fn new(expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self { expected: expected.to_string(), got: got.to_string(), operations: None, seed: None }
    }
}

impl Stop {
    pub(super) fn broken(expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::Broken(Broken::new(expected, got))
    }
}

/// An adapter's error where none was due.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::broken("success", format_args!("an error ({}): {error}", error.kind()))
    }
}

/// Checks that something is as it has to be.
pub(super) fn same<T: PartialEq + fmt::Debug>(
    what: &str,
    expected: &T,
    got: &T,
) -> Result<(), Stop> {
    if expected == got {
        return Ok(());
    }
    Err(Stop::broken(format_args!("{what}: {expected:?}"), format_args!("{got:?}")))
}

/// Checks that something holds; `got` says what is the case if it doesn't.
pub(super) fn ensure(holds: bool, expected: &str, got: impl fmt::Display) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::broken(expected, got)) }
}

/// The cases of one area: whether they are `#[random]`, the name of the function that is the test,
/// what it needs, and the clause.
macro_rules! cases {
    ($area:literal; $($(#[$random:ident])? $name:ident $(($needs:ident))?: $clause:literal,)*) => {
        pub(in crate::conformance) const CASES: &[$crate::conformance::case::Case] = &[$(
            $crate::conformance::case::Case {
                name: concat!($area, "::", stringify!($name)),
                clause: $clause,
                random: $crate::conformance::case::cases!(@random $($random)?),
                needs: $crate::conformance::case::cases!(@needs $($needs)?),
                run: |test| Box::pin($name(test)),
            },
        )*];
    };
    (@random) => { false };
    (@random random) => { true };
    (@needs) => { $crate::conformance::case::Needs::Nothing };
    (@needs $needs:ident) => { $crate::conformance::case::Needs::$needs };
}
pub(super) use cases;
