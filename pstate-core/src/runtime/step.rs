//! Whether the current thread runs a migration step.

use std::cell::Cell;

thread_local! {
    static IN_STEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs a migration step. Meanwhile [`is_in_step`] is true on this thread.
pub(crate) fn run_step<T>(step: impl FnOnce() -> T) -> T {
    struct Leave(bool);

    impl Drop for Leave {
        fn drop(&mut self) {
            IN_STEP.set(self.0);
        }
    }

    let _leave = Leave(IN_STEP.replace(true));
    step()
}

/// Whether the current thread runs a migration step: whatever is polled now, the step waits for.
pub(crate) fn is_in_step() -> bool {
    IN_STEP.get()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_step_ends_when_it_returns_or_panics_and_is_seen_by_its_thread_alone() {
        assert!(!is_in_step());
        let (within, elsewhere) = run_step(|| {
            let elsewhere = std::thread::scope(|scope| scope.spawn(is_in_step).join().unwrap());
            run_step(|| ());
            (is_in_step(), elsewhere)
        });
        assert_eq!((within, elsewhere, is_in_step()), (true, false, false));
        catch_unwind(|| run_step(|| panic!("on purpose"))).unwrap_err();
        assert!(!is_in_step());
    }
}
