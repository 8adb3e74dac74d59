//! A call from when it comes until it is answered.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use pstate_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::gate::Hold;
use super::kind::{Fault, not_reached, uncertain};
use super::script::{Call, Moment};
use crate::operation::Answer;
use crate::recording::{OperationLog, Place};

/// How many calls are under way.
#[derive(Debug, Default)]
pub(super) struct CallsUnderWay(watch::Sender<usize>);

/// Counts as a call until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(watch::Sender<usize>);

impl CallsUnderWay {
    pub(super) fn begin(&self) -> Arc<Counted> {
        self.0.send_modify(|calls| *calls += 1);
        Arc::new(Counted(self.0.clone()))
    }

    /// Returns when there is none.
    pub(super) async fn none(&self) {
        // The sender is there as long as `self` is, so this is never an error.
        let _ = self.0.subscribe().wait_for(|calls| *calls == 0).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

/// The connection was lost, and where the call was then.
enum Lost {
    OnTheWay,
    AtTheAdapter,
}

impl Lost {
    fn fault(&self) -> &'static str {
        match self {
            Self::OnTheWay => "connection lost on the way",
            Self::AtTheAdapter => "connection lost under way",
        }
    }

    fn error(&self, call: Call) -> Error {
        let message = "the connection was lost";
        match self {
            Self::OnTheWay => not_reached(message),
            Self::AtTheAdapter => uncertain(call, ErrorKind::Unavailable, message),
        }
    }
}

/// A call whose fault is decided.
pub(super) struct CallUnderWay<'a> {
    pub(super) call: Call,
    pub(super) log: &'a OperationLog,
    pub(super) place: Place,
    pub(super) lost: watch::Receiver<()>,
    pub(super) counted: Arc<Counted>,
    /// The call before this one, if it waits for the answer to this one: it goes on when this is
    /// dropped.
    pub(super) overtakes: Option<Hold>,
}

impl CallUnderWay<'_> {
    /// Asks the adapter, which is what `inner` does, as far and as late as the fault lets it.
    pub(super) async fn carry_out<T: Answer + Send + 'static>(
        mut self,
        fault: Option<Fault>,
        inner: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let result = self.answer(fault, inner.boxed()).await.unwrap_or_else(|lost| {
            self.log.set_fault(self.place, lost.fault());
            Err(lost.error(self.call))
        });
        self.log.end(self.place, &result);
        drop(self.overtakes);
        result
    }

    async fn answer<T: Send + 'static>(
        &mut self,
        fault: Option<Fault>,
        inner: BoxFuture<'static, Result<T>>,
    ) -> Result<Result<T>, Lost> {
        match fault {
            None => self.ask(inner).await,
            Some(Fault::Wait(Moment::Before, wait)) => {
                self.unless_lost(wait.over()).await.ok_or(Lost::OnTheWay)?;
                self.ask(inner).await
            }
            Some(Fault::Wait(Moment::After, wait)) => {
                let result = self.ask(inner).await?;
                self.unless_lost(wait.over()).await.ok_or(Lost::AtTheAdapter)?;
                Ok(result)
            }
            Some(Fault::Fail(error)) => Ok(Err(error)),
            Some(Fault::FailAfter(error)) => Ok(self.ask(inner).await?.and(Err(error))),
            Some(Fault::FailEarly(error, wait)) => {
                self.leave(async move {
                    wait.over().await;
                    inner.await
                });
                Ok(Err(error))
            }
            Some(Fault::LoseConnection(_) | Fault::NoConnection) => {
                Ok(Err(not_reached("there is no connection")))
            }
            Some(Fault::Panic) => panic!("the test asked for this panic"),
        }
    }

    /// Asks the adapter. Should the connection be lost, it goes on without anybody who waits.
    async fn ask<T: Send + 'static>(
        &mut self,
        inner: BoxFuture<'static, Result<T>>,
    ) -> Result<Result<T>, Lost> {
        if self.lost.has_changed().unwrap_or(true) {
            return Err(Lost::OnTheWay);
        }
        let inner = {
            let lost = pin!(self.lost.changed());
            match select(lost, inner).await {
                Either::Right((result, _)) => return Ok(result),
                Either::Left((_, inner)) => inner,
            }
        };
        self.leave(inner);
        Err(Lost::AtTheAdapter)
    }

    /// Waits, but not beyond the loss of the connection.
    async fn unless_lost<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(self.lost.changed()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Lets the rest of the call happen by itself.
    fn leave<T: Send + 'static>(&self, rest: impl Future<Output = T> + Send + 'static) {
        let counted = self.counted.clone();
        tokio::spawn(async move {
            rest.await;
            drop(counted);
        });
    }
}
