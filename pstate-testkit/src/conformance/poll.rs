use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// More polls than any adapter is likely to need for one call.
pub(super) const MANY_POLLS: usize = 60;

/// Polls a future at most this many times, then drops it. `None` if it did not complete.
pub(super) async fn poll_at_most<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // After the last poll, a wake-up would change nothing.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
