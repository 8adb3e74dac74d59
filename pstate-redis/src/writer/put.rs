//! Putting single records: those of many tasks at once are sent together.

use std::sync::Arc;

use pstate_core::{Space, Write};
use tokio::task::yield_now;

use super::arguments::{WriteResult, outcome};
use crate::error::{Effect, Failure};
use crate::store::{Gathered, Group, Joined, Store};

impl Store {
    /// Puts a record that may have been anything before.
    pub(super) async fn put(self: &Arc<Self>, space: &Space, put: &Write) -> Vec<WriteResult> {
        let _under_way = self.gathering.begin();
        let Some(Joined { answer, gathered }) = self.gathering.join(space, put) else {
            return self.transaction(space, &[put]).await;
        };
        if let Some(gathered) = gathered {
            tokio::spawn(Arc::clone(self).send_gathered(gathered));
        }
        // The revision is computed while the others join.
        let stored = outcome(put);
        match answer.await {
            Ok(Ok(())) => vec![Ok(stored)],
            // The user may not write one of the records, perhaps another one. Nothing was done.
            Ok(Err(failure)) if failure.is("NOPERM") && !failure.sent => {
                self.transaction(space, &[put]).await
            }
            Ok(Err(failure)) => vec![Err(failure)],
            Err(_) => {
                let why = "the runtime of the store ends".to_owned();
                vec![Err(Failure::unavailable(why).with_effect())]
            }
        }
    }

    /// Sends what tasks put in one turn of the executor.
    async fn send_gathered(self: Arc<Self>, gathered: Gathered) {
        yield_now().await;
        let groups = gathered.take();
        let unit = |group: &Group| self.transaction_unit(&group.space, &group.writes());
        let units = groups.iter().map(unit).collect();
        let answers = self.servers.send(units, Effect::Write).await;
        for (group, answers) in groups.into_iter().zip(answers) {
            let stored = self.finish_transaction(&group.space, &group.writes(), answers).await;
            group.answer(&stored);
        }
    }
}
