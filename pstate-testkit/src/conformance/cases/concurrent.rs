//! Calls that overlap.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use futures_util::poll;
use parking_lot::Mutex;
use pstate_core::{Batch, Expect, Key, Outcome, Revision, Scan, Write};

use super::cancel::poll_at_most;
use crate::conformance::case::{Broken, Stop, cases, ensure, same};
use crate::conformance::recorded;
use crate::conformance::test::{Came, Store, Test, key, put_if};
use crate::history::History;

cases! { "concurrent";
    #[random] linearizable: "Calls that overlap take effect one at a time: a single key is linearizable.",
    lost_updates: "Calls that overlap take effect one at a time: a single key is linearizable.",
    two_handles(Durability): "Calls that overlap take effect one at a time: a single key is linearizable.",
    one_winner: "Calls that overlap take effect one at a time: a single key is linearizable.",
    whole_batches(BatchAtomicity): "the records are one snapshot: of an atomic batch either all is seen or nothing.",
    progress: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
    unpolled: "Calls that overlap do not wait for each other for ever, nor for one whose future is kept and no longer polled.",
}

async fn linearizable(test: &Test) -> Result<(), Stop> {
    for seed in test.rounds(16) {
        test.renew().await?;
        let store = test.open().await?;
        let keys: Vec<_> = (0..3).map(|n| key(&format!("card:{n}"))).collect();
        let clients = (0..6).map(|client| {
            let client = Client {
                store: store.clone(),
                keys: keys.clone(),
                seen: vec![None; keys.len()],
                random: fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(client)),
                name: client,
                written: 0,
            };
            tokio::spawn(client.work(25))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.map_err(|error| Stop::broken("no panic", error))??;
        }
        // What is there at the end has to be explained as well.
        for keys in keys.chunks(store.at_most(3)) {
            store.records(keys).await?;
        }
        let atomicity = store.capabilities().atomicity;
        let calls = recorded::calls(&test.log().operations(), atomicity);
        if let Err(violation) = History::new(calls).check() {
            let mut broken = Broken::new(
                "some order of the calls, one at a time, that explains all answers",
                "there is none for these calls",
            );
            broken.operations = Some(violation.to_string().lines().map(str::to_owned).collect());
            broken.seed = Some(seed);
            return Err(Stop::Broken(broken));
        }
        store.close().await?;
    }
    Ok(())
}

/// One of those who read and write the same few keys.
struct Client {
    store: Store,
    keys: Vec<Key>,
    /// The revision of each key that this client has seen last.
    seen: Vec<Option<Revision>>,
    random: fastrand::Rng,
    name: u64,
    written: usize,
}

impl Client {
    async fn work(mut self, calls: usize) -> Result<(), Stop> {
        for _ in 0..calls {
            let places = self.places();
            match self.random.u8(..10) {
                0..4 => self.read(&places).await?,
                4..9 => self.write(&places).await?,
                _ => drop(self.store.scan("card:", 2).await?),
            }
        }
        Ok(())
    }

    /// Which keys the next call is about.
    fn places(&mut self) -> Vec<usize> {
        let mut places: Vec<_> = (0..self.keys.len()).collect();
        self.random.shuffle(&mut places);
        places.truncate(self.random.usize(1..=self.store.at_most(3)));
        places
    }

    async fn read(&mut self, places: &[usize]) -> Result<(), Stop> {
        let keys: Vec<_> = places.iter().map(|&place| self.keys[place].clone()).collect();
        let records = self.store.records(&keys).await?;
        for (&place, record) in places.iter().zip(records) {
            self.seen[place] = record.map(|record| record.revision);
        }
        Ok(())
    }

    async fn write(&mut self, places: &[usize]) -> Result<(), Stop> {
        let atomic = self.random.bool() && (places.len() == 1 || self.store.has_atomic_batches());
        let writes = places.iter().map(|&place| self.one(place)).collect();
        let batch = if atomic { Batch::atomic(writes) } else { Batch::each(writes) };
        if self.random.u8(..8) == 0 {
            let polls = self.random.usize(..4);
            let dropped = self.store.adapter.write(&self.store.space, &batch);
            poll_at_most(dropped, polls).await.transpose()?;
            return Ok(());
        }
        let outcomes = self.store.write(&batch).await?;
        for (&place, outcome) in places.iter().zip(outcomes) {
            match outcome {
                Outcome::Stored(revision) => self.seen[place] = Some(revision),
                Outcome::Deleted => self.seen[place] = None,
                _ => {}
            }
        }
        Ok(())
    }

    fn one(&mut self, place: usize) -> Write {
        let key = self.keys[place].clone();
        let write = if self.random.u8(..5) == 0 {
            Write::delete(key)
        } else {
            self.written += 1;
            Write::put(key, format!("{}.{}", self.name, self.written).into_bytes())
        };
        // Half of them say what they expect: what was seen last, which is often still there.
        match (self.random.bool(), self.seen[place]) {
            (true, _) => write,
            (false, None) => write.expecting(Expect::Absent),
            (false, Some(revision)) => write.expecting(Expect::Revision(revision)),
        }
    }
}

async fn lost_updates(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    count_together(test, &[store]).await
}

async fn two_handles(test: &Test) -> Result<(), Stop> {
    let handles = [test.open().await?, test.open_beside().await?];
    count_together(test, &handles).await
}

/// Lets eight tasks, spread over these handles, increment one counter by compare-and-swap.
async fn count_together(test: &Test, handles: &[Store]) -> Result<(), Stop> {
    let updates = 25;
    let store = &handles[0];
    store.put("counter:1", "0").await?;
    let tasks = handles.iter().cycle().take(8).map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..updates {
                count(&store).await?;
            }
            Ok::<_, Stop>(())
        })
    });
    for task in join_all(tasks).await {
        task.map_err(|error| Stop::broken("no panic", error))??;
    }
    let counted = number(&store.stored("counter:1").await?.bytes)?;
    let expected = 8 * updates;
    if counted == expected {
        return Ok(());
    }
    let mut broken = Broken::new(
        format_args!("{expected} after {expected} increments, each acknowledged"),
        counted,
    );
    broken.operations = Some(swapped_twice(test));
    Err(Stop::Broken(broken))
}

/// The swaps that were both acknowledged although they expected the same revision.
fn swapped_twice(test: &Test) -> Vec<String> {
    let log = test.log();
    let mut first_by_revision = std::collections::HashMap::new();
    let lines = log.lines();
    for (n, operation) in log.operations().iter().enumerate() {
        let crate::Request::Write(_, batch) = &operation.request else { continue };
        let Some(Ok(crate::Response::Outcomes(outcomes))) = &operation.response else { continue };
        let (Some(write), Some(Outcome::Stored(_))) = (batch.writes.first(), outcomes.first())
        else {
            continue;
        };
        if let Expect::Revision(revision) = write.expect
            && let Some(first) = first_by_revision.insert(revision.as_number(), n)
        {
            return vec![lines[first].clone(), lines[n].clone()];
        }
    }
    lines
}

async fn count(store: &Store) -> Result<(), Stop> {
    loop {
        let record = store.stored("counter:1").await?;
        let next = (number(&record.bytes)? + 1).to_string();
        let swap = put_if("counter:1", &next, Expect::Revision(record.revision));
        match store.write_one(swap).await? {
            Outcome::Stored(_) => return Ok(()),
            Outcome::Conflict => {}
            other => return Err(Stop::broken("Stored or Conflict", Came::from(&other))),
        }
    }
}

fn number(bytes: &[u8]) -> Result<u32, Stop> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Stop::broken("the number that was written", bytes.escape_ascii()))
}

async fn one_winner(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    for round in 0..20 {
        let name = format!("card:{round}");
        let start = Arc::new(tokio::sync::Barrier::new(6));
        let tasks = (0..6).map(|task| {
            let (store, name, start) = (store.clone(), name.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                store.write_one(put_if(&name, &format!("{task}"), Expect::Absent)).await
            })
        });
        let mut winners = Vec::new();
        for (task, outcome) in join_all(tasks).await.into_iter().enumerate() {
            match outcome.map_err(|error| Stop::broken("no panic", error))?? {
                Outcome::Stored(_) => winners.push(task),
                Outcome::Conflict => {}
                other => return Err(Stop::broken("Stored or Conflict", Came::from(&other))),
            }
        }
        ensure(
            winners.len() == 1,
            &format!("one of six that put {name} where nothing was"),
            format_args!("tasks {winners:?}"),
        )?;
        let value = store.stored(&name).await?.bytes;
        same(
            "the value of the one that won",
            &winners[0].to_string().into_bytes(),
            &value.to_vec(),
        )?;
    }
    Ok(())
}

async fn whole_batches(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let keys: Vec<_> = (0..store.at_most(150)).map(|n| key(&format!("card:{n:03}"))).collect();
    let torn = Arc::new(Mutex::new(None));
    let write = |writer: u32| {
        let (store, keys, torn) = (store.clone(), keys.clone(), torn.clone());
        tokio::spawn(async move {
            for round in 0..40 {
                if torn.lock().is_some() {
                    break;
                }
                let value = format!("{writer}.{round}");
                let writes =
                    keys.iter().map(|key| Write::put(key.clone(), value.clone().into_bytes()));
                store.write(&Batch::atomic(writes.collect())).await?;
            }
            Ok::<_, Stop>(())
        })
    };
    let writers = [write(1), write(2)];
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let values = store.values(&keys).await?;
        if let Some(other) = values.iter().position(|value| *value != values[0]) {
            *torn.lock() = Some(format!(
                "{} holds {:?}, {} holds {:?}",
                keys[0], values[0], keys[other], values[other],
            ));
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.map_err(|error| Stop::broken("no panic", error))??;
    }
    match torn.lock().take() {
        None => Ok(()),
        Some(torn) => {
            let expected = format!("{} records of one and the same batch in one read", keys.len());
            let mut broken = Broken::new(expected, torn);
            broken.operations = Some(test.log().lines().into_iter().rev().take(8).rev().collect());
            Err(Stop::Broken(broken))
        }
    }
}

async fn unpolled(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let keys: Vec<_> = (0..store.at_most(100)).map(|n| key(&format!("card:{n:02}"))).collect();
    store.put_all(&keys, "there").await?;
    let batch = Batch::each(vec![put_if("card:00", "kept", Expect::Any)]);
    let scan = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MAX };
    let (adapter, space) = (&store.adapter, &store.space);
    let mut write = pin!(adapter.write(space, &batch));
    let mut read = pin!(adapter.multi_get(space, &keys));
    let mut page = pin!(adapter.scan(space, &scan));
    // Begun, and then forgotten about for a while.
    let (_, _, _) = (poll!(write.as_mut()), poll!(read.as_mut()), poll!(page.as_mut()));
    for round in 0..20 {
        let value = format!("value {round}");
        store.put("card:00", &value).await?;
        store.records(&keys).await?;
        store.scan("", 50).await?;
        store.adapter.spaces().await?;
    }
    Ok(())
}

async fn progress(test: &Test) -> Result<(), Stop> {
    let store = test.open().await?;
    let keys: Vec<_> = (0..store.at_most(8)).map(|n| key(&format!("card:{n}"))).collect();
    let tasks = (0..12_usize).map(|task| {
        let (store, mut keys) = (store.clone(), keys.clone());
        // Whoever locks key by key in the order of the batch meets another who does it the other
        // way round.
        if task % 2 == 1 {
            keys.reverse();
        }
        tokio::spawn(async move {
            for round in 0..20 {
                let value = format!("{task}.{round}").into_bytes();
                let writes =
                    keys.iter().map(|key| Write::put(key.clone(), value.clone())).collect();
                let batch = store.widest(writes);
                store.write(&batch).await?;
                match task % 3 {
                    0 => drop(store.records(&keys).await?),
                    1 => drop(store.scan("", 3).await?),
                    _ => drop(store.adapter.spaces().await?),
                }
            }
            Ok::<_, Stop>(())
        })
    });
    let tasks = try_join_all(tasks.collect::<Vec<_>>()).await;
    let tasks = tasks.map_err(|error| Stop::broken("no panic", error))?;
    tasks.into_iter().collect()
}
