//! Counting what there is to look at, while the sweep is under way.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::Result;

/// The count that is under way, if one is.
#[derive(Default)]
pub(super) struct Counting(Option<BoxFuture<'static, Result<u64>>>);

impl Counting {
    /// Begins to count, unless a count is under way.
    pub(super) fn begin(&mut self, count: impl Future<Output = Result<u64>> + Send + 'static) {
        if self.0.is_none() {
            self.0 = Some(Box::pin(count));
        }
    }

    /// Waits for the end of the count; forever if none is under way.
    ///
    /// # Cancel safety
    /// The count continues with the next call.
    pub(super) async fn ended(&mut self) -> Result<u64> {
        match &mut self.0 {
            Some(count) => {
                let counted = count.await;
                self.0 = None;
                counted
            }
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counting").field(&self.0.is_some()).finish()
    }
}
