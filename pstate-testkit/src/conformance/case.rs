use std::fmt;
use std::pin::Pin;

use super::case_error::CaseResult;
use super::context::Context;
use super::dimension::Dimension;
use super::promise::Promise;
use super::requirement::Requirement;

/// A test of one clause of the contract.
#[derive(Clone)]
pub struct Case {
    /// The name: `area::what`.
    pub name: String,
    /// The clause: a sentence in the documentation of [`Adapter`](pstate_core::Adapter), or of the
    /// extension that it tests.
    pub clause: &'static str,
    /// The promises that it tests, first that of the clause.
    pub promises: Vec<Promise>,
    /// The dimensions in which it tests them.
    pub dimensions: Vec<Dimension>,
    /// Whether the case makes random choices, so that its seed matters.
    pub random: bool,
    /// Whether the [quick level](crate::Level::Quick) leaves it out, because it takes long.
    pub long: bool,
    pub(super) requirements: Vec<Requirement>,
    pub(super) run: RunCase,
}

pub(super) type Run<'a> = Pin<Box<dyn Future<Output = CaseResult> + Send + 'a>>;

pub(super) type RunCase = std::sync::Arc<dyn for<'a> Fn(&'a Context) -> Run<'a> + Send + Sync>;

impl Case {
    /// A case that is neither random nor long, and that every adapter must pass.
    pub(super) fn new(
        name: impl Into<String>,
        clause: &'static str,
        promises: &[Promise],
        dimensions: &[Dimension],
        run: impl for<'a> Fn(&'a Context) -> Run<'a> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            clause,
            promises: promises.to_vec(),
            dimensions: dimensions.to_vec(),
            random: false,
            long: false,
            requirements: Vec::new(),
            run: std::sync::Arc::new(run),
        }
    }

    /// Applies only to adapters with this capability.
    pub(super) fn requires(mut self, requirement: Requirement) -> Self {
        self.requirements.push(requirement);
        self
    }

    /// Is left out at the quick level if `long`.
    pub(super) fn long(mut self, long: bool) -> Self {
        self.long = long;
        self
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Defines the `cases` of one area. Each row has `#[random]` if the case is random, the name of the
/// function that runs it, the promise and the dimensions in brackets, the requirement in
/// parentheses, and the clause.
macro_rules! cases {
    (
        $area:literal;
        $(
            $(#[$random:ident])?
            $name:ident [$promise:ident $($dimension:ident)+] $(($requirement:ident))?: $clause:literal,
        )*
    ) => {
        pub(in crate::conformance) fn cases() -> Vec<$crate::conformance::case::Case> {
            use $crate::conformance::{Dimension, Promise};
            let mut cases = Vec::new();
            $(
                #[allow(unused_mut, reason = "most cases are not random")]
                let mut case = $crate::conformance::case::Case::new(
                    concat!($area, "::", stringify!($name)),
                    $clause,
                    &[Promise::$promise],
                    &[$(Dimension::$dimension),+],
                    |context| Box::pin($name(context)),
                );
                $(case.$random = true;)?
                $(case = case.requires($crate::conformance::requirement::Requirement::$requirement);)?
                cases.push(case);
            )*
            cases
        }
    };
}
pub(super) use cases;
