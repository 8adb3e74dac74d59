use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use pstate_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::call::Call;
use super::errors::{indeterminate, not_reached};
use super::fault::Fault;
use super::hold::Hold;
use super::in_flight::InFlightGuard;
use super::moment::Moment;
use crate::recording::{Answer, OperationId, OperationLog};

/// A call whose fault is decided, until it is answered.
pub(super) struct CallInFlight<'a> {
    pub(super) call: Call,
    pub(super) log: &'a OperationLog,
    pub(super) id: OperationId,
    pub(super) losses: watch::Receiver<()>,
    pub(super) guard: Arc<InFlightGuard>,
    /// Holds the previous call, if that waits for the answer to this one.
    pub(super) overtaken: Option<Hold>,
}

/// Where the call was when the connection was lost.
enum Loss {
    BeforeAdapter,
    InAdapter,
}

impl Loss {
    fn fault(&self) -> &'static str {
        match self {
            Self::BeforeAdapter => "connection lost on the way",
            Self::InAdapter => "connection lost under way",
        }
    }

    fn error(&self, call: Call) -> Error {
        let message = "the connection was lost";
        match self {
            Self::BeforeAdapter => not_reached(message),
            Self::InAdapter => indeterminate(call, ErrorKind::Unavailable, message),
        }
    }
}

impl CallInFlight<'_> {
    /// Calls the adapter, which is what `inner` does, with the fault.
    pub(super) async fn run<T: Answer + Send + 'static>(
        mut self,
        fault: Option<Fault>,
        inner: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let result = self.answer(fault, inner.boxed()).await.unwrap_or_else(|loss| {
            self.log.set_fault(self.id, loss.fault());
            Err(loss.error(self.call))
        });
        self.log.end(self.id, &result);
        drop(self.overtaken);
        result
    }

    async fn answer<T: Send + 'static>(
        &mut self,
        fault: Option<Fault>,
        inner: BoxFuture<'static, Result<T>>,
    ) -> Result<Result<T>, Loss> {
        match fault {
            None => self.call_adapter(inner).await,
            Some(Fault::Wait(Moment::Before, wait)) => {
                self.unless_lost(wait.finish()).await.ok_or(Loss::BeforeAdapter)?;
                self.call_adapter(inner).await
            }
            Some(Fault::Wait(Moment::After, wait)) => {
                let result = self.call_adapter(inner).await?;
                self.unless_lost(wait.finish()).await.ok_or(Loss::InAdapter)?;
                Ok(result)
            }
            Some(Fault::Fail(error)) => Ok(Err(error)),
            Some(Fault::FailAfter(error)) => Ok(self.call_adapter(inner).await?.and(Err(error))),
            Some(Fault::FailEarly(error, wait)) => {
                self.detach(async move {
                    wait.finish().await;
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

    /// Calls the adapter. If the connection is lost meanwhile, the adapter completes the call on
    /// its own, as a server does.
    async fn call_adapter<T: Send + 'static>(
        &mut self,
        inner: BoxFuture<'static, Result<T>>,
    ) -> Result<Result<T>, Loss> {
        if self.losses.has_changed().unwrap_or(true) {
            return Err(Loss::BeforeAdapter);
        }
        let inner = {
            let loss = pin!(self.losses.changed());
            match select(loss, inner).await {
                Either::Right((result, _)) => return Ok(result),
                Either::Left((_, inner)) => inner,
            }
        };
        self.detach(inner);
        Err(Loss::InAdapter)
    }

    /// Runs a future, but not beyond the loss of the connection.
    async fn unless_lost<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(self.losses.changed()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Runs the rest of the call in a task of its own; the call stays in flight until then.
    fn detach<T: Send + 'static>(&self, rest: impl Future<Output = T> + Send + 'static) {
        let guard = self.guard.clone();
        tokio::spawn(async move {
            rest.await;
            drop(guard);
        });
    }
}
