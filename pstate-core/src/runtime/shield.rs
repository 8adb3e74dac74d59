//! Work that its caller cannot stop by going away.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use super::Home;
use crate::model::{Error, ErrorKind, Result};

/// Runs `work` in place as far as it gets without waiting; the rest, if any, in a task of its own.
///
/// Work that is ready at once costs no task. Work that waits continues when the caller drops this
/// future or stops polling it: others may depend on it (a shared load), and a write that has begun
/// has to settle. The work's future is never dropped half-way while the runtime lives. A panic in
/// it is an error for the caller.
///
/// The caller boxes the work, so that the futures around this one are small: to move them took a
/// tenth of a read.
pub(crate) async fn shield<T, W>(home: &Home, mut work: Pin<Box<W>>) -> Result<T>
where
    T: Send + 'static,
    W: Future<Output = Result<T>> + Send + ?Sized + 'static,
{
    let first = poll_fn(|cx| {
        // In the runtime where it continues, wherever the caller is: its timers belong there.
        let _entered = home.enter();
        Poll::Ready(catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))))
    });
    match first.await {
        Ok(Poll::Ready(result)) => return result,
        Ok(Poll::Pending) => {}
        Err(_) => return Err(panicked()),
    }
    match home.spawn(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(panicked()),
        Err(_) => {
            let why = "the runtime that this PState was built on has ended during the call";
            Err(Error::new(ErrorKind::Unavailable, why))
        }
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Other, "the storage adapter panicked")
}
