//! Overlapping calls through several handles, and from several processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pstate_core::{Batch, Expect, Key, Outcome, Write};
use tokio::sync::Barrier;

use super::concurrent::{increment_concurrently, number};
use crate::conformance::case::{Case, RunCase};
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::{Context, Peer};
use crate::conformance::dimension::Dimension;
use crate::conformance::kind_of_write::start;
use crate::conformance::outcome_kind::OutcomeKind;
use crate::conformance::promise::Promise;
use crate::conformance::requirement::Requirement;
use crate::conformance::shorthand::{key, put, put_if};
use crate::conformance::store::Store;
use crate::conformance::world::World;
use crate::recording::Value;

/// Through what the calls that overlap are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    Handles,
    Processes,
}

const ONE_AT_A_TIME: &str =
    "Calls that overlap take effect one at a time: a single key is linearizable.";
const AT_ONCE: &str =
    "if all expectations hold, all is done, and is seen by others at once; otherwise nothing is:";
const KILLED: &str = "The end of the process, also by a kill, takes nothing that was acknowledged";
const VISIBLE: &str =
    "Once a write has returned, every later call sees it, through any handle to the same store.";

pub(in crate::conformance) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (through, name, dimension) in [
        (Through::Handles, "two_handles", Dimension::Handle),
        (Through::Processes, "two_processes", Dimension::Process),
    ] {
        let dimensions = [dimension, Dimension::Overlap];
        let mut add = |what: &str, clause, promises: &[Promise], run: RunCase| {
            let name = format!("race::{what}_by_{name}");
            let case = Case::new(name, clause, promises, &dimensions, move |context| run(context));
            let case = case.requires(Requirement::Durability);
            cases.push(if promises.contains(&Promise::Atomicity) {
                case.requires(Requirement::BatchAtomicity)
            } else {
                case
            });
        };
        let one_at_a_time = [Promise::Concurrency, Promise::Expectations];
        add(
            "creations",
            ONE_AT_A_TIME,
            &one_at_a_time,
            Arc::new(move |context| Box::pin(creations(context, through))),
        );
        add(
            "swaps",
            ONE_AT_A_TIME,
            &one_at_a_time,
            Arc::new(move |context| Box::pin(swaps(context, through))),
        );
        add(
            "deletes_of_a_revision",
            ONE_AT_A_TIME,
            &one_at_a_time,
            Arc::new(move |context| Box::pin(deletes(context, through))),
        );
        add(
            "first_records_of_many_spaces",
            VISIBLE,
            &[Promise::Spaces],
            Arc::new(move |context| Box::pin(new_spaces(context, through))),
        );
        add(
            "atomic_batches",
            AT_ONCE,
            &[Promise::Atomicity],
            Arc::new(move |context| Box::pin(whole_batches(context, through))),
        );
        add(
            "openings_of_a_new_store",
            VISIBLE,
            &[Promise::Visibility],
            Arc::new(move |context| Box::pin(new_store(context, through))),
        );
        add(
            "transfers",
            AT_ONCE,
            &[Promise::Atomicity, Promise::Expectations],
            Arc::new(move |context| Box::pin(transfers(context, through))),
        );
    }
    let dimensions = [Dimension::Process, Dimension::Time];
    let name = "race::the_survivor_of_a_kill";
    let promises = [Promise::Durability, Promise::Concurrency];
    let survivor = Case::new(name, KILLED, &promises, &dimensions, |context| {
        Box::pin(survivor_of_a_kill(context))
    });
    cases.push(survivor.requires(Requirement::Durability));
    let dimensions = [Dimension::Handle, Dimension::Overlap];
    let name = "race::a_handle_opened_during_writes";
    let opened = Case::new(name, VISIBLE, &[Promise::Visibility], &dimensions, |context| {
        Box::pin(opened_during_writes(context))
    });
    cases.push(opened.requires(Requirement::Durability));
    cases
}

/// Two handles, one of them in another process if so wanted.
async fn open(context: &Context, through: Through) -> CaseResult<([Store; 2], Option<Peer>)> {
    let first = context.open().await?;
    Ok(match through {
        Through::Handles => ([first, context.open_second_handle().await?], None),
        Through::Processes => {
            let peer = context.open_in_second_process().await?;
            ([first, peer.store.clone()], Some(peer))
        }
    })
}

/// Four tasks, two for each handle, make the same call at once; exactly one of them may succeed.
async fn one_succeeds(
    stores: &[Store; 2],
    what: &str,
    write: impl Fn(usize) -> Write,
) -> CaseResult<usize> {
    let barrier = Arc::new(Barrier::new(4));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (store, write, barrier) = (stores[task % 2].clone(), write(task), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                store.write_one(write).await
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (task, outcome) in tasks.into_iter().enumerate() {
        match outcome.await?? {
            Outcome::Stored(_) | Outcome::Deleted => winners.push(task),
            Outcome::Conflict => {}
            other => {
                let got = OutcomeKind::from(&other);
                return Err(CaseError::mismatch("success or a conflict", got));
            }
        }
    }
    let expected = format!("one of four tasks that {what}");
    ensure(winners.len() == 1, &expected, format_args!("tasks {winners:?}"))?;
    Ok(winners[0])
}

async fn creations(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    for round in 0..30 {
        let name = format!("card:{round}");
        let create = |task: usize| put_if(&name, &task.to_string(), Expect::Absent);
        let winner = one_succeeds(&stores, &format!("create {name}"), create).await?;
        for store in &stores {
            let value = Some(Value::from(winner.to_string().as_str()));
            ensure_eq("the value of the winner", &value, &store.value(&name).await?)?;
        }
    }
    Ok(())
}

async fn deletes(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    for round in 0..30 {
        let revision = stores[round % 2].put("card:1", &round.to_string()).await?;
        let delete = |_| Write::delete(key("card:1")).expecting(Expect::Revision(revision));
        one_succeeds(&stores, "delete the revision that they read", delete).await?;
        for store in &stores {
            ensure_eq("none after the delete", &None, &store.value("card:1").await?)?;
        }
    }
    Ok(())
}

async fn swaps(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    increment_concurrently(context, &stores).await
}

/// Both write to spaces that are new, some of them to the same ones at the same time.
async fn new_spaces(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    let tasks: Vec<_> = (0..2)
        .map(|task| {
            let store = stores[task].clone();
            tokio::spawn(async move {
                let mut world = World::default();
                for n in 0..30 {
                    // Every third space is that of both.
                    let name =
                        if n % 3 == 0 { format!("both-{n}") } else { format!("of-{task}-{n}") };
                    let batch = Batch::each(vec![put(&format!("card:{task}"), "{}")]);
                    world.write(&store.space(&name), &batch).await?;
                }
                Ok::<_, CaseError>(world)
            })
        })
        .collect();
    let mut worlds = Vec::new();
    for task in tasks {
        worlds.push(task.await??);
    }
    let mut names: Vec<String> =
        worlds.iter().flat_map(World::places).map(|(space, ..)| space.to_string()).collect();
    names.sort();
    names.dedup();
    for store in &stores {
        let listed = store.adapter.spaces().await?;
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        ensure_eq("the spaces of both", &names, &listed)?;
        for world in &worlds {
            world_has(store, world, "after both have written").await?;
        }
    }
    Ok(())
}

/// Checks that the records of a world are there, among others.
async fn world_has(store: &Store, world: &World, after: &str) -> CaseResult {
    for (space, key, held) in world.places() {
        let store = Store { adapter: store.adapter.clone(), space: space.clone() };
        let value = store.value(key.as_str()).await?;
        let held = held.map(|held| Value(held.bytes.clone()));
        ensure_eq(&format!("{key} in {space}, {after}"), &held, &value)?;
    }
    Ok(())
}

/// One writes whole batches, the other reads all of their records in one call.
async fn whole_batches(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    let keys: Vec<_> =
        (0..stores[0].up_to_max_batch(120)).map(|n| key(&format!("card:{n:03}"))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (store, keys, is_over) = (stores[writer].clone(), keys.clone(), is_over.clone());
            tokio::spawn(async move {
                for round in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let value = format!("{writer}.{round}").into_bytes();
                    let write = |(n, key): (usize, &Key)| match (round % 5, n) {
                        (4, _) => Write::delete(key.clone()),
                        _ => Write::put(key.clone(), value.clone()),
                    };
                    let writes = keys.iter().enumerate().map(write).collect();
                    store.write(&Batch::atomic(writes)).await?;
                }
                Ok::<_, CaseError>(())
            })
        })
        .collect();
    let mut checked = Ok(());
    for round in 0..60 {
        let values = stores[round % 2].values(&keys).await?;
        if let Some(other) = values.iter().position(|value| *value != values[0]) {
            let expected = format!("{} records of the same batch in one read", keys.len());
            let got = format!(
                "{} holds {:?}, {} holds {:?}",
                keys[0], values[0], keys[other], values[other]
            );
            let mut last = context.log().lines();
            last.drain(..last.len().saturating_sub(8));
            checked = Err(CaseError::mismatch(expected, got).with_operations(last));
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    checked
}

/// Both move coins between accounts, each in an atomic batch that expects what it has read.
async fn transfers(context: &Context, through: Through) -> CaseResult {
    let (stores, _peer) = open(context, through).await?;
    if stores[0].up_to_max_batch(2) < 2 {
        return Err(CaseError::ignored("a batch of two writes is more than its max_batch"));
    }
    let accounts = ["account:a", "account:b", "account:c"];
    for account in accounts {
        stores[0].put(account, "100").await?;
    }
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let store = stores[task % 2].clone();
            tokio::spawn(async move {
                let mut moved = 0;
                while moved < 15 {
                    let (one, next) =
                        (accounts[(task + moved) % 3], accounts[(task + moved + 1) % 3]);
                    // In opposite orders, so that locks of single records would deadlock.
                    let (from, to) = if task < 2 { (one, next) } else { (next, one) };
                    moved += usize::from(transfer(&store, from, to).await?);
                }
                Ok::<_, CaseError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    for store in &stores {
        let keys = accounts.map(key);
        let mut sum = 0;
        for record in
            store.records(&keys[..2]).await?.into_iter().chain(store.records(&keys[2..]).await?)
        {
            let record = record.ok_or_else(|| CaseError::mismatch("an account", "none"))?;
            sum += number(&record.bytes)?;
        }
        ensure_eq("the coins of all accounts together", &300, &sum)?;
    }
    Ok(())
}

/// Moves a coin; `false` if another transfer came in between.
async fn transfer(store: &Store, from: &str, to: &str) -> CaseResult<bool> {
    let (giver, taker) = (store.existing(from).await?, store.existing(to).await?);
    let left = (number(&giver.bytes)? - 1).to_string();
    let got = (number(&taker.bytes)? + 1).to_string();
    let batch = Batch::atomic(vec![
        put_if(from, &left, Expect::Revision(giver.revision)),
        put_if(to, &got, Expect::Revision(taker.revision)),
    ]);
    let outcomes = store.write(&batch).await?;
    let kinds = OutcomeKind::all(&outcomes);
    match kinds[..] {
        [OutcomeKind::Stored, OutcomeKind::Stored] => Ok(true),
        [OutcomeKind::Conflict, OutcomeKind::Conflict | OutcomeKind::Aborted]
        | [OutcomeKind::Aborted, OutcomeKind::Conflict] => Ok(false),
        _ => Err(CaseError::mismatch("both stored, or a conflict", format_args!("{kinds:?}"))),
    }
}

/// Two open a store that is new, at the same time, and each writes at once.
async fn new_store(context: &Context, through: Through) -> CaseResult {
    // Ignores the case if the store cannot be opened twice.
    drop(open(context, through).await?);
    for round in 0..8 {
        context.reset().await?;
        let (stores, _peer) = match through {
            Through::Handles => {
                let (first, second) = tokio::join!(context.open(), context.open());
                ([first?, second?], None)
            }
            Through::Processes => {
                let (first, peer) = tokio::join!(context.open(), context.open_in_another_process());
                let peer = peer?;
                ([first?, peer.store.clone()], Some(peer))
            }
        };
        let mut worlds = [World::default(), World::default()];
        let batches = [0, 1].map(|n| Batch::each(vec![put(&format!("card:{n}"), "{}")]));
        let [one, two] = &mut worlds;
        let (first, second) =
            tokio::join!(one.write(&stores[0], &batches[0]), two.write(&stores[1], &batches[1]));
        first.and(second)?;
        for store in &stores {
            for world in &worlds {
                let after = format!("in round {round} of two that open a new store");
                world_has(store, world, &after).await?;
            }
        }
        for store in stores {
            store.close().await?;
        }
    }
    Ok(())
}

/// A process is killed while it writes, and another one that has the store open continues.
async fn survivor_of_a_kill(context: &Context) -> CaseResult {
    let survivor = context.open().await?;
    let mut world = start(&survivor).await?;
    let peer = context.open_in_second_process().await?;
    for n in 0..20 {
        let batch = Batch::each(vec![put("card:1", &format!(r#"{{"n":{n}}}"#))]);
        world.write(&peer.store.space("red"), &batch).await?;
    }
    // Still under way when it is killed; under a key of its own, as it may take effect.
    let last = peer.store.clone();
    let writing = tokio::spawn(async move { last.space("last").put("card:1", "{}").await.is_ok() });
    tokio::task::yield_now().await;
    peer.adapter.kill();
    writing.await?;
    survivor.space("last").delete("card:1").await?;
    world.check_records(&survivor, "after another process was killed").await?;
    let batch = Batch::each(vec![put("card:1", "{}"), Write::delete(key("card:2"))]);
    if survivor.up_to_max_batch(2) == 2 {
        world.write(&survivor.space("red"), &batch).await?;
    }
    survivor.adapter.flush().await?;
    world.check_records(&survivor, "after it has written once more").await?;
    world.check_spaces(&survivor, "after it has written once more").await
}

/// Handles are opened while another one writes: each sees what was acknowledged before, and
/// everything at the end.
async fn opened_during_writes(context: &Context) -> CaseResult {
    let first = context.open().await?;
    let probe = context.open_second_handle().await?;
    probe.close().await?;
    let writer = first.clone();
    let writing = tokio::spawn(async move {
        let mut world = World::default();
        for n in 0..60 {
            let store = writer.space(&format!("space-{}", n % 7));
            let batch = Batch::each(vec![put(&format!("card:{}", n % 11), &n.to_string())]);
            world.write(&store, &batch).await?;
        }
        Ok::<_, CaseError>(world)
    });
    let mut opened = Vec::new();
    while opened.len() < 6 || !writing.is_finished() {
        if opened.len() < 12 {
            // It can be opened: the probe was.
            let store = context.open().await?;
            store.space("space-0").scan("", 3).await?;
            opened.push(store);
        }
        tokio::task::yield_now().await;
    }
    let world = writing.await??;
    for (n, store) in opened.into_iter().enumerate() {
        let after = format!("in handle {n}, which was opened during the writes");
        world.check_records(&store, &after).await?;
        world.check_spaces(&store, &after).await?;
        store.close().await?;
    }
    world.check_records(&first, "after the others were closed").await
}
