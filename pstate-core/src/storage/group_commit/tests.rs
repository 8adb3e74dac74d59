use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;
use crate::model::{Batch, ErrorKind, Key, Outcome, Result, Revision, Space, Write};

/// What the thread has done, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: String) {
        self.0.lock().push(what);
    }

    fn done(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

enum Command {
    Mark(Reply<usize>),
    /// Makes maintenance due.
    Due(Reply<()>),
    /// Waits for a message, or for the end of its sender.
    Pause(mpsc::Receiver<()>, Reply<()>),
}

struct Committer {
    log: Log,
    /// Whether the next maintenance is due at once.
    due: bool,
}

impl GroupCommit for Committer {
    type Command = Command;

    fn commit(&mut self, group: Vec<WriteRequest>) {
        let ids: Vec<&str> =
            group.iter().map(|request| request.batch().writes[0].key.id()).collect();
        assert_ne!(ids, ["panic"], "as planned");
        self.log.note(ids.join("+"));
        for request in group {
            request.answer(Ok(vec![Outcome::Stored(Revision::from_number(1))]));
        }
    }

    fn run(&mut self, command: Command) {
        match command {
            Command::Mark(reply) => {
                self.log.note("mark".to_owned());
                reply.send(Ok(self.log.done().len()));
            }
            Command::Due(reply) => {
                self.due = true;
                reply.send(Ok(()));
            }
            Command::Pause(until, reply) => {
                let _ = until.recv();
                reply.send(Ok(()));
            }
        }
    }

    fn maintain(&mut self) {
        self.due = false;
        self.log.note("maintain".to_owned());
    }

    fn maintenance_due(&self) -> Option<Instant> {
        self.due.then(Instant::now)
    }

    fn close(self) {
        self.log.note("close".to_owned());
    }
}

fn start(config: GroupConfig) -> (GroupWriter<Command>, Log) {
    let log = Log::default();
    let writer =
        GroupWriter::start("test", Committer { log: log.clone(), due: false }, config).unwrap();
    (writer, log)
}

fn put(writer: &GroupWriter<Command>, id: &str, len: usize) -> Response<Vec<Outcome>> {
    let write = Write::put(Key::new("card", id).unwrap(), vec![0; len]);
    writer.write(Space::default(), Batch::each(vec![write]))
}

/// Keeps the thread busy until the sender is dropped.
fn pause(writer: &GroupWriter<Command>) -> mpsc::Sender<()> {
    let (pause, until) = mpsc::channel();
    // A command runs whether its answer is waited for or not.
    drop(writer.call(|reply| Command::Pause(until, reply)));
    pause
}

fn refused<T: std::fmt::Debug>(answer: Result<T>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.is_retryable());
    assert_eq!(error.message(), "the store is closed");
}

#[tokio::test]
async fn what_queues_up_is_committed_together_within_the_bounds() {
    let (writer, log) = start(GroupConfig::default().max_batches(3).max_bytes(10));
    let paused = pause(&writer);
    let small: Vec<_> = ["1", "2", "3", "4"].map(|id| put(&writer, id, 1)).into();
    let large: Vec<_> = ["5", "6", "7"].map(|id| put(&writer, id, 8)).into();
    drop(paused);
    for response in small.into_iter().chain(large) {
        assert!(response.await.unwrap()[0].is_done());
    }
    assert_eq!(log.done(), ["1+2+3", "4+5+6", "7"]);
}

#[tokio::test]
async fn commands_run_in_order_with_the_writes() {
    let (writer, log) = start(GroupConfig::default());
    let paused = pause(&writer);
    let one = put(&writer, "1", 1);
    let marked = writer.call(Command::Mark);
    let two = writer
        .client()
        .write(Space::default(), Batch::each(vec![Write::delete(Key::new("card", "2").unwrap())]));
    drop(paused);
    assert_eq!(marked.await.unwrap(), 2);
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(log.done(), ["1", "mark", "2"]);
}

#[tokio::test]
async fn an_abandoned_write_is_not_begun() {
    let (writer, log) = start(GroupConfig::default());
    let paused = pause(&writer);
    let kept = put(&writer, "1", 1);
    drop(put(&writer, "2", 1));
    drop(paused);
    kept.await.unwrap();
    let paused = pause(&writer);
    drop(put(&writer, "alone", 1));
    drop(paused);
    writer.close().await;
    assert_eq!(log.done(), ["1", "close"]);
}

#[tokio::test]
async fn closing_does_what_is_queued_and_refuses_what_comes_later() {
    let (writer, log) = start(GroupConfig::default());
    let paused = pause(&writer);
    let queued = put(&writer, "1", 1);
    let marked = writer.call(Command::Mark);
    let mut closing = Box::pin(writer.close());
    let mut context = Context::from_waker(Waker::noop());
    assert!(closing.as_mut().poll(&mut context).is_pending());
    refused(put(&writer, "2", 1).await);
    refused(writer.client().call(Command::Mark).await);
    refused(writer.check_open());
    drop(paused);
    closing.await;
    queued.await.unwrap();
    marked.await.unwrap();
    assert_eq!(log.done(), ["1", "mark", "close"]);
    writer.close().await;
    refused(put(&writer, "3", 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_while_others_never_stop_writing() {
    let (writer, log) = start(GroupConfig::default());
    let client = writer.client();
    let writing = std::thread::spawn(move || {
        while client.check_open().is_ok() {
            let write = Write::delete(Key::new("card", "1").unwrap());
            // Not waited for, so that the queue is never empty.
            drop(client.write(Space::default(), Batch::each(vec![write])));
        }
    });
    writer.close().await;
    assert_eq!(log.done().last().map(String::as_str), Some("close"));
    writing.join().unwrap();
}

#[tokio::test]
async fn a_dropped_writer_does_what_is_queued_and_closes() {
    let (writer, log) = start(GroupConfig::default());
    let paused = pause(&writer);
    let queued = put(&writer, "1", 1);
    drop((writer, paused));
    queued.await.unwrap();
    while log.done().last().is_none_or(|last| last != "close") {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.done(), ["1", "close"]);
}

#[tokio::test]
async fn a_panic_ends_the_thread_and_fails_what_was_asked_of_it() {
    let (writer, _) = start(GroupConfig::default());
    let paused = pause(&writer);
    let asked = put(&writer, "panic", 1);
    let marked = writer.call(Command::Mark);
    drop(paused);
    for error in [asked.await.unwrap_err(), marked.await.unwrap_err()] {
        assert!(error.to_string().contains("the writer thread has terminated"), "{error}");
        assert!(!error.is_retryable());
    }
    writer.close().await;
    refused(put(&writer, "1", 1).await);
}

#[tokio::test]
async fn maintenance_comes_by_itself_and_between_writes() {
    let interval = Some(Duration::from_millis(1));
    let (writer, log) = start(GroupConfig::default().maintenance_interval(interval));
    let count = || log.done().iter().filter(|done| *done == "maintain").count();
    while count() < 2 {
        tokio::task::yield_now().await;
    }
    let before = count();
    while count() < before + 2 {
        put(&writer, "1", 1).await.unwrap();
    }
    writer.close().await;
    assert_eq!(log.done().last().map(String::as_str), Some("close"));
}

#[tokio::test]
async fn maintenance_that_is_due_does_not_wait_for_the_interval() {
    let (writer, log) = start(GroupConfig::default());
    writer.call(Command::Due).await.unwrap();
    while !log.done().contains(&"maintain".to_owned()) {
        tokio::task::yield_now().await;
    }
    put(&writer, "1", 1).await.unwrap();
    writer.close().await;
    assert_eq!(log.done(), ["maintain", "1", "close"]);
}

#[tokio::test]
async fn a_response_is_ready_only_when_it_is_answered() {
    let write = Write::delete(Key::new("card", "1").unwrap());
    let (request, mut response) = WriteRequest::new(Space::default(), Batch::each(vec![write]));
    let mut context = Context::from_waker(Waker::noop());
    let mut poll = || std::pin::Pin::new(&mut response).poll(&mut context);
    assert!(poll().is_pending());
    request.answer(Ok(vec![Outcome::Deleted]));
    assert!(matches!(poll(), Poll::Ready(Ok(_))));
}
