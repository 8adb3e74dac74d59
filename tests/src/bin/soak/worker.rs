//! A process that uses a store until its standard input ends, and reports all that it does.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use parking_lot::Mutex;
use pstate::{Document, PState};
use serde_json::json;
use tokio::runtime::{Handle, Runtime};

use crate::arguments::{Slot, Task};
use crate::history::now;

/// Beyond the timeouts of all adapters together.
const STUCK: Duration = Duration::from_secs(25);
/// What the process may take, in KiB: a cache of 64 MiB, sled's of 128, and room.
const MOST_MEMORY: u64 = 400 << 10;
/// How long the last reads are tried again.
const LAST_READS: Duration = Duration::from_secs(20);
/// How many futures of each kind are held.
const HELD: usize = 50;

type Held = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Worker {
    pstate: PState,
    task: Task,
    stopped: AtomicBool,
    calls: Calls,
}

/// The calls under way, and since when. A thread looks at them, because a call may block all tasks.
#[derive(Default)]
struct Calls {
    under_way: Mutex<HashMap<u64, (Instant, String)>>,
    begun: AtomicU64,
}

impl Calls {
    async fn watch<T>(&self, what: String, call: impl Future<Output = T>) -> T {
        let id = self.begun.fetch_add(1, SeqCst);
        self.under_way.lock().insert(id, (Instant::now(), what));
        let done = call.await;
        self.under_way.lock().remove(&id);
        done
    }

    fn report_stuck(&self) {
        let mut under_way = self.under_way.lock();
        under_way.retain(|_, (since, what)| {
            let stuck = since.elapsed() > STUCK;
            if stuck {
                say(&format!("violation {what} is stuck for {} s", STUCK.as_secs()));
            }
            !stuck
        });
    }
}

pub(crate) fn run(task: &Task) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("soak: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work(task.clone())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("violation the store cannot be used: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn work(task: Task) -> pstate::Result<()> {
    let pstate = pstate::connect(&task.url).await?.build()?;
    let stopped = AtomicBool::new(false);
    let worker = Arc::new(Worker { pstate, task, stopped, calls: Calls::default() });
    let home = Handle::current();
    thread::spawn({
        let worker = Arc::clone(&worker);
        move || worker.listen(&home)
    });
    thread::spawn({
        let worker = Arc::clone(&worker);
        move || loop {
            worker.calls.report_stuck();
            thread::sleep(Duration::from_millis(500));
        }
    });
    say("ready");
    let mut tasks = tokio::task::JoinSet::new();
    let mut rng = Rng::with_seed(worker.task.seed);
    for slot in worker.task.writes.clone() {
        tasks.spawn(Arc::clone(&worker).write_until_stopped(slot, rng.fork()));
    }
    for _ in 0..2 {
        tasks.spawn(Arc::clone(&worker).read_until_stopped(rng.fork()));
    }
    while tasks.join_next().await.is_some() {}
    worker.read_at_last().await;
    let closed = worker.calls.watch("close".to_owned(), worker.pstate.close()).await;
    report_error("close", closed.err());
    let memory = most_memory();
    if memory > MOST_MEMORY {
        say(&format!("violation {memory} KiB of memory; {MOST_MEMORY} are expected"));
    }
    Ok(())
}

impl Worker {
    /// Does what the driver says, on a thread of its own, until there is no more to come.
    fn listen(&self, home: &Handle) {
        let _in_runtime = home.enter();
        let mut held: Vec<Held> = Vec::new();
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match &*line {
                "hold" => held.extend(self.polled_once()),
                "drop" => held.clear(),
                _ => say(&format!("violation unknown command {line}")),
            }
        }
        // What is still held stays so, until the process ends.
        self.stopped.store(true, SeqCst);
        std::mem::forget(held);
    }

    /// Futures of every kind, each polled once.
    fn polled_once(&self) -> Vec<Held> {
        let mut held: Vec<Held> = Vec::new();
        for n in 0..HELD {
            let slot = self.task.reads.start + Slot::try_from(n).unwrap_or_default() % 6;
            let (pstate, key, keys) = (self.pstate.clone(), key(slot), self.keys());
            held.push(Box::pin({
                let pstate = pstate.clone();
                async move { drop(pstate.get(&*key).await) }
            }));
            held.push(Box::pin({
                let pstate = pstate.clone();
                async move { drop(pstate.multi_get(keys.iter().map(String::as_str)).await) }
            }));
            held.push(Box::pin({
                let pstate = pstate.clone();
                async move { drop(pstate.put(&*format!("held:{n}"), &json!({ "n": n })).await) }
            }));
            held.push(Box::pin({
                let pstate = pstate.clone();
                async move { drop(pstate.scan("card:").stream().collect().await) }
            }));
            held.push(Box::pin(async move { drop(pstate.flush().await) }));
        }
        for future in &mut held {
            let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        held
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    fn keys(&self) -> Vec<String> {
        self.task.reads.clone().map(key).collect()
    }

    async fn write_until_stopped(self: Arc<Self>, slot: Slot, mut rng: Rng) {
        let (mut number, name) = (0, key(slot));
        while !self.is_stopped() {
            number = now().max(number + 1);
            let document = json!({ "n": number, "pad": "x".repeat(rng.usize(..2_000)) });
            say(&format!("begin {slot} {number} {}", now()));
            let put = self.pstate.put(&*name, &document);
            match self.calls.watch(format!("put {name}"), put).await {
                Ok(_) => say(&format!("done {slot} {number} {}", now())),
                Err(error) => report_error("put", Some(error)),
            }
            pause(&mut rng).await;
        }
    }

    async fn read_until_stopped(self: Arc<Self>, mut rng: Rng) {
        if self.task.reads.is_empty() {
            return;
        }
        while !self.is_stopped() {
            let slot = rng.u32(self.task.reads.clone());
            match rng.u8(..20) {
                0 => self.read_all().await,
                1 => {
                    let scan = self.pstate.scan("card:");
                    let scanned =
                        self.calls.watch("scan".to_owned(), scan.stream().collect()).await;
                    report_error("scan", scanned.err());
                }
                _ => {
                    let (begin, name) = (now(), key(slot));
                    let get = self.pstate.get(&*name);
                    match self.calls.watch(format!("get {name}"), get).await {
                        Ok(document) => found("read", slot, begin, document.as_ref()),
                        Err(error) => report_error("get", Some(error)),
                    }
                }
            }
            pause(&mut rng).await;
        }
    }

    async fn read_all(&self) {
        let (begin, keys) = (now(), self.keys());
        let get = self.pstate.multi_get(keys.iter().map(String::as_str));
        match self.calls.watch("multi_get".to_owned(), get).await {
            Ok(documents) => {
                for (slot, document) in self.task.reads.clone().zip(&documents) {
                    found("read", slot, begin, document.as_ref());
                }
            }
            Err(error) => report_error("multi_get", Some(error)),
        }
    }

    /// Reads every document once more, after all of its own writes; also by a scan, which has to
    /// find the same ones.
    async fn read_at_last(&self) {
        if !self.task.writes.is_empty() {
            say("ready");
            return;
        }
        let since = Instant::now();
        let mut read = Vec::new();
        for slot in self.task.reads.clone() {
            let document = loop {
                let begin = now();
                match self.pstate.get(&*key(slot)).await {
                    Ok(document) => {
                        found("last", slot, begin, document.as_ref());
                        break document;
                    }
                    Err(error) if since.elapsed() > LAST_READS => {
                        return say(&format!("violation {} at last: {error}", key(slot)));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            };
            read.extend(document.map(|_| key(slot)));
        }
        match self.pstate.scan("card:").stream().collect().await {
            Ok(scanned) => {
                let keys: Vec<String> = scanned.iter().map(|card| card.key().to_string()).collect();
                for missing in read.iter().filter(|key| !keys.contains(key)) {
                    say(&format!("violation {missing} is stored, and no scan finds it"));
                }
            }
            Err(error) => say(&format!("violation scan at last: {error}")),
        }
        say("ready");
    }
}

fn key(slot: Slot) -> String {
    format!("card:{slot}")
}

async fn pause(rng: &mut Rng) {
    tokio::time::sleep(Duration::from_millis(rng.u64(1..4))).await;
}

fn found(word: &str, slot: Slot, begin: u64, document: Option<&Document>) {
    let number = document.map(|document| match document.get("n") {
        Ok(Some(number)) => number.to_string(),
        other => format!("violation {other:?}"),
    });
    let number = number.unwrap_or_else(|| "-".to_owned());
    say(&format!("{word} {slot} {begin} {} {number}", now()));
}

fn report_error(call: &str, error: Option<pstate::Error>) {
    if let Some(error) = error {
        say(&format!("error {call}: {:?} {}", error.kind(), error.message()));
    }
}

/// The most memory that this process has taken so far, in KiB.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}

/// One line to the driver, which arrives whole or not at all.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The driver may be gone, and does not need the line then.
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}
