//! Steps that only name the members they work on, as some of the patterns are.

use std::cell::RefCell;

/// What a step does to the members of a document, whatever they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MemberStep {
    /// Renames a member; fails if both are there.
    Rename { from: String, to: String },
    /// Takes a member away.
    Remove(String),
}

thread_local! {
    /// Set while a pattern is asked what it does, instead of being run.
    static ASKED: RefCell<Option<Option<MemberStep>>> = const { RefCell::new(None) };
}

/// Asks a pattern what it does, by running it.
pub(super) fn ask(run: impl FnOnce()) -> Option<MemberStep> {
    ASKED.set(Some(None));
    run();
    ASKED.take().flatten()
}

/// Whether a pattern is only asked what it does; then this was the answer.
pub(super) fn answer(step: impl FnOnce() -> MemberStep) -> bool {
    ASKED.with_borrow_mut(|asked| match asked {
        Some(answer) => {
            *answer = Some(step());
            true
        }
        None => false,
    })
}
