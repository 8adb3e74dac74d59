//! Timing a piece of work.

use std::hint::black_box;
use std::time::Instant;

use crate::Result;

/// How many nanoseconds a future takes. Its output is dropped after the clock has stopped.
///
/// # Errors
/// The future's.
pub async fn timed<T, E: Into<crate::Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<f64> {
    let begin = Instant::now();
    let done = black_box(work.await);
    let nanos = nanos_since(begin);
    done.map_err(Into::into)?;
    Ok(nanos)
}

/// How many nanoseconds have passed.
pub fn nanos_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e9
}
