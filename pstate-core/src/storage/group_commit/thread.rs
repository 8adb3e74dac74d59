//! The thread: it takes what is queued and hands it to the adapter in groups.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::commit::GroupCommit;
use super::config::GroupConfig;
use super::message::Message;
use super::request::WriteRequest;

pub(super) fn run<G: GroupCommit>(
    mut committer: G,
    config: GroupConfig,
    queue: Receiver<Message<G::Command>>,
) {
    // An interval beyond the end of time is none.
    let next = || Instant::now().checked_add(config.maintenance_interval?);
    let mut maintenance = next();
    let mut closing = false;
    // What ended the last group without belonging to it.
    let mut leftover = None;
    loop {
        let message = match leftover.take() {
            Some(message) => Ok(message),
            // Only what was on its way already comes now.
            None if closing => queue.try_recv().map_err(|_| RecvTimeoutError::Disconnected),
            None => receive(&queue, earlier(maintenance, committer.maintenance_due())),
        };
        match message {
            Ok(Message::Write(first)) => {
                let (mut group, rest) = collect(first, &config, &queue);
                leftover = rest;
                group.retain(|request| !request.is_abandoned());
                if !group.is_empty() {
                    committer.commit(group);
                }
            }
            Ok(Message::Command(command)) => committer.run(command),
            Ok(Message::Close) => closing = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let due = earlier(maintenance, committer.maintenance_due());
        if due.is_some_and(|at| at <= Instant::now()) && !closing {
            committer.maintain();
            maintenance = next();
        }
    }
    // What comes now fails at once, and not only when everything is released.
    drop(queue);
    committer.close();
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn receive<C>(
    queue: &Receiver<Message<C>>,
    deadline: Option<Instant>,
) -> Result<Message<C>, RecvTimeoutError> {
    match deadline {
        Some(at) => queue.recv_timeout(at.saturating_duration_since(Instant::now())),
        None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Takes what is queued, up to the bounds of a group, without waiting for more.
fn collect<C>(
    first: WriteRequest,
    config: &GroupConfig,
    queue: &Receiver<Message<C>>,
) -> (Vec<WriteRequest>, Option<Message<C>>) {
    let mut bytes = first.batch().value_bytes();
    let mut group = vec![first];
    while group.len() < config.max_batches && bytes < config.max_bytes {
        match queue.try_recv() {
            Ok(Message::Write(request)) => {
                bytes += request.batch().value_bytes();
                group.push(request);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}
