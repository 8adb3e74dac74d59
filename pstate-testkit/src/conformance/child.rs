use std::env;

/// The environment variable that holds the task of a child process.
pub(super) const CHILD: &str = "PSTATE_TESTKIT_CHILD";

/// Whether this process was started by the suite, to open a store that another process has opened,
/// or to be killed.
///
/// A harness that starts a server for its stores must not start another one then, but find the
/// server of the process that started this one: its parent.
pub fn is_child_process() -> bool {
    env::var_os(CHILD).is_some()
}
