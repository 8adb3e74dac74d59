//! A process that reads, migrates, writes back, sweeps and writes is killed, again and again,
//! beside another that continues.
//!
//! *After everything settles, for each key the store holds either the last user write, or that write
//! migrated.*

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use pstate::sqlite::SqliteAdapter;
use pstate::{ErrorKind, MigrationWriter, PState};
use pstate_testkit::{Settings, workload};
use serde_json::json;

use super::child::{self, Child, open, say};

/// How many documents each process writes, and how many of its tasks share them.
const CARDS: usize = 8;
const TASKS: usize = 2;
const COUNTER: &str = "counter:1";

/// What a user has made of a document; numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Deleted,
    /// As it was written yesterday.
    Old(u64),
    New(u64),
}

impl Content {
    /// What may be stored after it.
    fn stored(self) -> Vec<Option<String>> {
        let new = |n: u64| Some(format!(r#"{{"$v":2,"front":"hola","rank":{n}}}"#));
        let old = |n: u64| Some(format!(r#"{{"$v":1,"front":"hola","rank":"{n}"}}"#));
        match self {
            Self::Deleted => vec![None],
            Self::Old(n) => vec![old(n), new(n)],
            Self::New(n) => vec![new(n)],
        }
    }

    /// The rank that a read shows.
    fn rank(self) -> Option<u64> {
        match self {
            Self::Deleted => None,
            Self::Old(n) | Self::New(n) => Some(n),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("deleted 0"),
            Self::Old(n) => write!(f, "old {n}"),
            Self::New(n) => write!(f, "new {n}"),
        }
    }
}

impl FromStr for Content {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (what, n) = text.split_once(' ').ok_or(())?;
        let n = n.parse().map_err(|_| ())?;
        match what {
            "deleted" => Ok(Self::Deleted),
            "old" => Ok(Self::Old(n)),
            "new" => Ok(Self::New(n)),
            _ => Err(()),
        }
    }
}

/// What a document was last made of, and what is being made of it.
#[derive(Debug, Clone, Copy)]
struct Card {
    last: Content,
    under_way: Option<Content>,
}

/// The documents of one process.
#[derive(Debug, Clone)]
struct Cards {
    process: &'static str,
    cards: Vec<Card>,
}

impl Cards {
    fn new(process: &'static str) -> Self {
        Self { process, cards: vec![Card { last: Content::Deleted, under_way: None }; CARDS] }
    }

    fn key(&self, card: usize) -> String {
        format!("base_card:{}{card}", self.process)
    }

    /// Compares with the store; from now on a write that was under way when its process was killed
    /// has either happened or not.
    async fn check(&mut self, plain: &PState) {
        for at in 0..CARDS {
            let key = self.key(at);
            let document = plain.get(&key).await.unwrap();
            let found = document.map(|document| document.as_str().to_owned());
            let card = &mut self.cards[at];
            let candidates = [Some(card.last), card.under_way].into_iter().flatten();
            let what = candidates.rev().find(|content| content.stored().contains(&found));
            let Some(what) = what else {
                panic!("{key} holds {found:?} after {:?}, {:?}", card.last, card.under_way)
            };
            *card = Card { last: what, under_way: None };
        }
    }
}

fn handle(adapter: Arc<SqliteAdapter>) -> PState {
    let writer = MigrationWriter::default().batch_size(2).flush_interval(Duration::from_millis(1));
    PState::builder(adapter)
        .schema(workload::schema().unwrap())
        .cache_bytes(0)
        .migration_writer(writer)
        .build()
        .unwrap()
}

/// Makes something of a document.
async fn write(pstate: &PState, key: &str, before: Content, content: Content) {
    let document = |rank: serde_json::Value| json!({ "front": "hola", "rank": rank });
    match content {
        Content::Deleted => pstate.delete(key).await.unwrap(),
        Content::Old(n) => {
            pstate.put_at(1, key, &document(json!(n.to_string()))).await.unwrap();
        }
        Content::New(n) if before == Content::Deleted || n % 4 < 2 => {
            pstate.put(key, &document(json!(n))).await.unwrap();
        }
        Content::New(n) => {
            let updated = pstate.update(key, |card| {
                card["rank"] = json!(n);
                Ok(())
            });
            updated.await.unwrap().unwrap();
        }
    }
}

fn choose(rng: &mut Rng, number: u64) -> Content {
    match rng.u8(..7) {
        0 => Content::Deleted,
        1..4 => Content::Old(number),
        _ => Content::New(number),
    }
}

async fn count(pstate: &PState) {
    let counted = pstate.update(COUNTER, |counter| {
        counter["n"] = json!(counter["n"].as_u64().unwrap() + 1);
        Ok(())
    });
    counted.await.unwrap().unwrap();
}

/// The process that is killed: it says what it begins, and what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `whatever_is_killed_no_write_is_lost_or_undone`, in a process of its own"]
async fn the_process_that_is_killed() {
    let seed: u64 = child::task().parse().unwrap();
    let mut rng = Rng::with_seed(seed);
    let pstate = handle(open(&child::file()));
    say("ready");
    let everything = ["p", "c"].map(Cards::new);
    let reader = async {
        loop {
            let keys = everything.iter().flat_map(|cards| (0..CARDS).map(|at| cards.key(at)));
            pstate.multi_get(keys).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let sweeper = async {
        loop {
            let sweep = pstate.migrate_all().page_size(3).lease(Duration::from_millis(20));
            if let Err(error) = sweep.run().await {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            }
            tokio::task::yield_now().await;
        }
    };
    let counter = async {
        loop {
            say("count");
            count(&pstate).await;
            say("counted");
        }
    };
    let tasks = (0..TASKS).map(|task| {
        let (pstate, mut rng, cards) = (pstate.clone(), rng.fork(), Cards::new("c"));
        async move {
            // What was there before it began is not known to it: it does not update that.
            let mut last = [Content::Deleted; CARDS];
            for n in 0.. {
                let at = task + TASKS * rng.usize(..CARDS / TASKS);
                let number = (seed << 20) + (n * TASKS + task) as u64;
                let content = choose(&mut rng, number);
                say(&format!("begin {at} {content}"));
                write(&pstate, &cards.key(at), last[at], content).await;
                last[at] = content;
                say(&format!("done {at}"));
            }
        }
    });
    tokio::join!(reader, sweeper, counter, join_all(tasks));
}

/// What a child has said.
struct Heard {
    cards: Cards,
    counted: u64,
    counting: bool,
}

impl Heard {
    fn hear(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let word = words.next();
        let card = words.next().and_then(|at| at.parse::<usize>().ok());
        match (word, card) {
            (Some("begin"), Some(at)) => {
                self.cards.cards[at].under_way = Some(words.next().unwrap().parse().unwrap());
            }
            (Some("done"), Some(at)) => {
                let last = self.cards.cards[at].under_way.unwrap();
                self.cards.cards[at] = Card { last, under_way: None };
            }
            (Some("count"), None) => self.counting = true,
            (Some("counted"), None) => {
                self.counted += 1;
                self.counting = false;
            }
            other => panic!("{line:?}: {other:?}"),
        }
    }
}

/// The other process, which goes on: its users write and read until they are told to stop.
async fn users(
    pstate: &PState,
    cards: &mut Cards,
    rng: &mut Rng,
    numbers: u64,
    stop: &AtomicBool,
) -> u64 {
    let mut counted = 0;
    for n in 0.. {
        if stop.load(SeqCst) {
            break;
        }
        let at = rng.usize(..CARDS);
        let key = cards.key(at);
        let content = choose(rng, numbers + n);
        write(pstate, &key, cards.cards[at].last, content).await;
        cards.cards[at].last = content;
        let at = rng.usize(..CARDS);
        let read = pstate.get(cards.key(at)).await.unwrap();
        let rank = read.map(|card| card.get("rank").unwrap().unwrap().as_u64().unwrap());
        assert_eq!(rank, cards.cards[at].last.rank(), "{}", cards.key(at));
        if rng.u8(..4) == 0 {
            count(pstate).await;
            counted += 1;
        }
    }
    counted
}

/// One round: a child is started, and killed after it has said a number of things.
async fn round(
    path: &Path,
    pstate: &PState,
    seed: u64,
    ours: &mut Cards,
    heard: &mut Heard,
) -> u64 {
    let mut rng = Rng::with_seed(seed);
    // Below 2^43, so that no number is beyond what a double keeps.
    let task = rng.u64(..1 << 22);
    let numbers = (1 << 50) + (task << 20);
    let lines = rng.usize(1..80);
    let mut child =
        Child::start("processes::kill::the_process_that_is_killed", path, task.to_string());
    let stop = Arc::new(AtomicBool::new(false));
    let listening = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || {
            assert_eq!(child.hear().as_deref(), Some("ready"));
            let mut said: Vec<_> = (0..lines).map_while(|_| child.hear()).collect();
            child.kill();
            said.extend(std::iter::from_fn(|| child.hear()));
            stop.store(true, SeqCst);
            said
        }
    });
    let counted = users(pstate, ours, &mut rng, numbers, &stop).await;
    let said = listening.await.unwrap();
    assert!(said.len() >= lines, "the child ended by itself: {said:?}");
    for line in &said {
        heard.hear(line);
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_no_write_is_lost_or_undone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let adapter = open(&path);
    let pstate = handle(adapter.clone());
    let plain = PState::builder(adapter.clone()).cache_bytes(0).build().unwrap();
    plain.put(COUNTER, &json!({ "n": 0 })).await.unwrap();
    let mut ours = Cards::new("p");
    let mut heard = Heard { cards: Cards::new("c"), counted: 0, counting: false };
    let mut counted = 0;

    let settings = Settings::from_env();
    for number in 0..settings.rounds(100) {
        let seed = settings.round_seed(number);
        let replay = Replay { seed };
        counted += round(&path, &pstate, seed, &mut ours, &mut heard).await;
        pstate.flush().await.unwrap();
        ours.check(&plain).await;
        heard.cards.check(&plain).await;
        let stored = plain.get(COUNTER).await.unwrap().unwrap();
        let stored = stored.get("n").unwrap().unwrap().as_u64().unwrap();
        let least = counted + heard.counted;
        let most = least + u64::from(heard.counting);
        assert!((least..=most).contains(&stored), "{stored} is not in {least}..={most}");
        (heard.counted, heard.counting) = (stored - counted, false);
        drop(replay);
    }

    // Everything can be read, everything gets migrated, and the file is sound.
    let fresh = handle(adapter.clone());
    // The first goes on where one was killed, behind documents that were written old since then.
    for _ in 0..2 {
        fresh.migrate_all().lease(Duration::from_millis(20)).run().await.unwrap();
    }
    assert_eq!(fresh.migration_status().await.unwrap().older(), 0);
    for cards in [&mut ours, &mut heard.cards] {
        cards.check(&plain).await;
    }
    assert_eq!(adapter.integrity_check().await.unwrap(), Vec::<String>::new());
}

/// Says how to repeat a round, if it is dropped by a panic.
struct Replay {
    seed: u64,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!(
                "to repeat this round: PSTATE_TESTKIT_SEED={seed} PSTATE_TESTKIT_ROUNDS=1 \
                 cargo test -p pstate-tests --test it -- processes::kill"
            );
        }
    }
}
