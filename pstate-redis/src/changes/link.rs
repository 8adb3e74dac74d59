//! A connection over which a primary notifies.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use crate::error::Failure;
use crate::server::Tracking;

pub(super) struct Link {
    pub(super) host: String,
    tracking: Tracking,
    /// A question whose answer a dropped call did not wait for.
    in_flight: Option<BoxFuture<'static, Result<Vec<Value>, Failure>>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(host: &str, tracking: Tracking) -> Self {
        Self { host: host.to_owned(), tracking, in_flight: None }
    }

    /// `host:port`, for messages.
    pub(super) fn address(&self) -> &str {
        &self.tracking.address
    }

    /// Asks, and waits for the answer. All earlier notifications have arrived then.
    pub(super) async fn ask(&mut self, question: &Arc<Pipeline>) -> Result<Vec<Value>, Failure> {
        if let Some(in_flight) = &mut self.in_flight {
            let answer = in_flight.await;
            self.in_flight = None;
            answer?;
        }
        let in_flight = ask(self.tracking.connection.clone(), Arc::clone(question));
        let address = self.tracking.address.clone();
        let in_flight = self.in_flight.insert(
            in_flight
                .map(move |answer| answer.map_err(|error| Failure::answering(&address, &error)))
                .boxed(),
        );
        let answer = in_flight.await;
        self.in_flight = None;
        answer
    }
}

async fn ask(
    mut connection: MultiplexedConnection,
    question: Arc<Pipeline>,
) -> redis::RedisResult<Vec<Value>> {
    connection.send_packed_commands(&question, 0, question.len()).await
}
