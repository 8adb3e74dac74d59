use std::fmt;
use std::pin::Pin;

use super::case_error::CaseResult;
use super::context::Context;
use super::requirement::Requirement;

/// A test of one clause of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    /// The name: `area::what`.
    pub name: &'static str,
    /// The clause: a sentence in the documentation of [`Adapter`](pstate_core::Adapter).
    pub clause: &'static str,
    /// Whether the case makes random choices, so that its seed matters.
    pub random: bool,
    pub(super) requirement: Requirement,
    pub(super) run: for<'a> fn(&'a Context) -> Run<'a>,
}

pub(super) type Run<'a> = Pin<Box<dyn Future<Output = CaseResult> + Send + 'a>>;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Defines the `CASES` of one area. Each row has `#[random]` if the case is random, the name of the
/// function that runs it, the requirement in parentheses, and the clause.
macro_rules! cases {
    (
        $area:literal;
        $($(#[$random:ident])? $name:ident $(($requirement:ident))?: $clause:literal,)*
    ) => {
        pub(in crate::conformance) const CASES: &[$crate::conformance::case::Case] = &[$(
            $crate::conformance::case::Case {
                name: concat!($area, "::", stringify!($name)),
                clause: $clause,
                random: $crate::conformance::case::cases!(@random $($random)?),
                requirement: $crate::conformance::case::cases!(@requirement $($requirement)?),
                run: |context| Box::pin($name(context)),
            },
        )*];
    };
    (@random) => { false };
    (@random random) => { true };
    (@requirement) => { $crate::conformance::requirement::Requirement::Nothing };
    (@requirement $requirement:ident) => {
        $crate::conformance::requirement::Requirement::$requirement
    };
}
pub(super) use cases;
