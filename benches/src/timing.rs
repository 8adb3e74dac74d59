//! Timing one piece of work. What it returns is dropped after the clock has stopped.

use std::hint::black_box;
use std::time::Instant;

use crate::Result;

/// How many nanoseconds the future takes.
pub(crate) async fn timed<T>(work: impl Future<Output = pstate::Result<T>>) -> Result<f64> {
    let begin = Instant::now();
    let done = black_box(work.await);
    let nanos = nanos_since(begin);
    done?;
    Ok(nanos)
}

/// How many nanoseconds the closure takes.
pub(crate) fn timed_here<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begin = Instant::now();
    let done = black_box(work());
    let nanos = nanos_since(begin);
    done?;
    Ok(nanos)
}

fn nanos_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e9
}
