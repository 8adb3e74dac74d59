use std::process::ExitCode;

use super::harness::Harness;
use super::suite::Suite;

/// Runs the suite for one store: the `main` of a test target without the libtest harness.
pub fn run(harness: impl Harness) -> ExitCode {
    Suite::new().store("", harness).run()
}

/// Defines the `main` of a test target that checks one store, or several with names, against the
/// contract.
///
/// ```text
/// pstate_testkit::conformance!(Memory);
/// pstate_testkit::conformance!("small" => Sqlite::small(), "large" => Sqlite::large());
/// ```
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::conformance::run($harness)
        }
    };
    ($($name:literal => $harness:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::conformance::Suite::new()$(.store($name, $harness))+.run()
        }
    };
}
