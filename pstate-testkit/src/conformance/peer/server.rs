//! What the other process does.

use std::env;
use std::io::{self, BufRead, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use pstate_core::{
    Adapter, ChangeFeed, ChangeSubscription, CountVersions, Error, ErrorKind, Result, Scan,
};

use super::message::{Answer, Call, ErrorMessage, Numbered, batch};
use crate::conformance::child::CHILD;
use crate::conformance::harness::Harness;
use crate::conformance::runtime::runtime;

/// The store that the other process opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::conformance) struct PeerTask {
    /// The name of the store in the suite.
    pub(in crate::conformance) store: String,
    pub(in crate::conformance) id: String,
}

/// The task of this process, if it was started as a second one.
pub(in crate::conformance) fn task() -> Option<PeerTask> {
    let text = env::var(CHILD).ok()?;
    let (id, store) = text.strip_prefix("peer ")?.split_once(' ')?;
    Some(PeerTask { store: store.to_owned(), id: id.to_owned() })
}

impl PeerTask {
    pub(super) fn start(&self) -> io::Result<Child> {
        Command::new(env::current_exe()?)
            .env(CHILD, format!("peer {} {}", self.id, self.store))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
    }

    /// Opens the store, and answers calls until its input ends. Returns whether it could start.
    pub(in crate::conformance) fn run(&self, harness: &dyn Harness) -> bool {
        let Ok(runtime) = runtime() else { return false };
        let adapter = match runtime.block_on(harness.open(&self.id)) {
            Ok(adapter) => adapter,
            Err(error) => {
                print(0, Answer::Failed(ErrorMessage::new(&error)));
                return true;
            }
        };
        let extensions = adapter.extensions();
        let count_versions = extensions.count_versions.is_some();
        let change_feed = extensions.change_feed.is_some();
        print(0, Answer::Opened { count_versions, change_feed });
        let server = Arc::new(Server { adapter, subscriptions: Mutex::default() });
        for line in io::stdin().lock().lines().map_while(io::Result::ok) {
            let Ok(call) = serde_json::from_str::<Numbered<Call>>(&line) else { continue };
            let server = server.clone();
            runtime.spawn(async move {
                let answer = server.answer(call.message).await;
                let failed = |error: Error| Answer::Failed(ErrorMessage::new(&error));
                print(call.number, answer.unwrap_or_else(failed));
            });
        }
        true
    }
}

/// Prints an answer as one line.
fn print(number: u64, message: Answer) {
    if let Ok(line) = serde_json::to_string(&Numbered { number, message }) {
        let mut output = io::stdout().lock();
        // Fails if the other process has died, and then no process reads it.
        let _ = output.write_all((line + "\n").as_bytes());
        let _ = output.flush();
    }
}

type Subscription = Arc<tokio::sync::Mutex<Box<dyn ChangeSubscription>>>;

struct Server {
    adapter: Arc<dyn Adapter>,
    subscriptions: Mutex<Vec<Subscription>>,
}

impl Server {
    async fn answer(&self, call: Call) -> Result<Answer> {
        let adapter = &self.adapter;
        Ok(match call {
            Call::MultiGet { space, keys } => {
                Answer::records(&adapter.multi_get(&space.parse()?, &keys).await?)
            }
            Call::Write { space, atomic, writes } => {
                let batch = batch(atomic, writes)?;
                Answer::outcomes(&adapter.write(&space.parse()?, &batch).await?)
            }
            Call::Scan { space, prefix, after, limit } => {
                let scan = Scan { prefix, after, limit };
                Answer::page(&adapter.scan(&space.parse()?, &scan).await?)
            }
            Call::Spaces => {
                Answer::Spaces(adapter.spaces().await?.iter().map(ToString::to_string).collect())
            }
            Call::Flush => adapter.flush().await.map(|()| Answer::Done)?,
            Call::Close => adapter.close().await.map(|()| Answer::Done)?,
            Call::CountVersions { space } => {
                Answer::counts(&self.counter()?.count_versions(&space.parse()?).await?)
            }
            Call::Subscribe => {
                let subscription = self.feed()?.subscribe().await?;
                let mut subscriptions = self.subscriptions.lock();
                subscriptions.push(Arc::new(tokio::sync::Mutex::new(subscription)));
                Answer::Subscribed(subscriptions.len() - 1)
            }
            Call::Changes { subscription } => {
                let subscription = self.subscriptions.lock().get(subscription).cloned();
                let subscription = subscription.ok_or_else(not_offered)?;
                let changes = subscription.lock().await.changes().await?;
                Answer::changes(&changes)
            }
        })
    }

    fn counter(&self) -> Result<&dyn CountVersions> {
        self.adapter.extensions().count_versions.ok_or_else(not_offered)
    }

    fn feed(&self) -> Result<&dyn ChangeFeed> {
        self.adapter.extensions().change_feed.ok_or_else(not_offered)
    }
}

fn not_offered() -> Error {
    Error::new(ErrorKind::Unsupported, "the adapter does not offer this")
}
