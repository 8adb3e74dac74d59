//! Learners, editors, a report, a sweep; and trouble.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use pstate::schema::{Entity, has_many, integer, patterns, string};
use pstate::sqlite::SqliteAdapter;
use pstate::{CachePolicy, PState, Schema};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub(crate) type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const CARDS: usize = 6_000;
const CARDS_OF_A_DECK: usize = 60;

/// A card's rank has become a number.
pub(crate) fn schema() -> pstate::Result<Schema> {
    Schema::new([
        Entity::new("deck", 1).field(has_many("cards", "card")),
        Entity::new("card", 2)
            .field(string("front").required())
            .field(integer("rank").migrate(patterns::parse_integer)),
    ])
}

fn card_key(card: usize) -> String {
    format!("card:{card}")
}

/// A card as yesterday's program stored it.
fn old_card(card: usize) -> Value {
    json!({ "front": format!("word {card}"), "rank": card.to_string() })
}

fn deck(number: usize) -> Value {
    let cards = (0..CARDS_OF_A_DECK).map(|at| {
        let card = number * CARDS_OF_A_DECK + at;
        (card.to_string(), json!({ "$ref": card_key(card) }))
    });
    json!({ "name": format!("deck {number}"), "cards": Value::Object(cards.collect()) })
}

/// Without a schema, as a program that knows nothing of today's.
fn open_plain(file: &Path) -> Result<PState> {
    Ok(PState::builder(Arc::new(SqliteAdapter::open(file)?)).build()?)
}

/// What there is before today's program begins.
pub(crate) async fn store_old_cards(file: &Path) -> Result<()> {
    let plain = open_plain(file)?;
    let cards = (0..CARDS).map(|card| (card_key(card), old_card(card)));
    plain.multi_put(cards).await?;
    let decks = (0..CARDS / CARDS_OF_A_DECK).map(|number| (format!("deck:{number}"), deck(number)));
    plain.multi_put(decks).await?;
    plain.close().await?;
    Ok(())
}

/// What runs, until it is ended.
pub(crate) struct Tasks {
    ending: watch::Sender<bool>,
    running: JoinSet<Result<()>>,
}

impl Tasks {
    /// Ends everything, and says what has failed.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.ending.send_replace(true);
        while let Some(ended) = self.running.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Does something again and again, with a pause after each time.
    fn repeat<F: Future<Output = Result<()>> + Send>(
        &mut self,
        pause: Duration,
        mut work: impl FnMut() -> F + Send + 'static,
    ) {
        let mut ending = self.ending.subscribe();
        self.running.spawn(async move {
            while !*ending.borrow() {
                tokio::select! {
                    _ = ending.changed() => {}
                    done = async { work().await.map(|()| sleep(pause)) } => done?.await,
                }
            }
            Ok(())
        });
    }
}

pub(crate) fn start(pstate: &PState, file: &Path, trouble: bool) -> Tasks {
    let mut tasks = Tasks { ending: watch::Sender::new(false), running: JoinSet::new() };
    let clone = || pstate.clone();
    let milliseconds = Duration::from_millis;

    for _ in 0..4 {
        let pstate = clone();
        tasks.repeat(milliseconds(5), move || study(pstate.clone(), trouble));
    }
    let opening = clone();
    tasks.repeat(milliseconds(50), move || open_deck(opening.clone(), trouble));
    let editing = clone();
    tasks.repeat(milliseconds(10), move || edit(editing.clone()));
    let visiting = clone();
    tasks.repeat(milliseconds(40), move || visit(visiting.clone()));
    if trouble {
        match open_plain(file) {
            Ok(old) => tasks.repeat(milliseconds(100), move || store_as_yesterday(old.clone())),
            Err(error) => drop(tasks.running.spawn(async { Err(error) })),
        }
    } else {
        let reporting = clone();
        tasks.repeat(Duration::ZERO, move || report(reporting.clone()));
        let sweeping = clone();
        tasks.repeat(Duration::from_secs(20), move || sweep(sweeping.clone()));
    }
    tasks
}

/// Most look at the same few cards; in trouble, at all of them.
fn some_card(trouble: bool) -> usize {
    let skewed = fastrand::f64().powi(if trouble { 1 } else { 6 });
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number that is not negative"
    )]
    let card = (skewed * CARDS as f64) as usize;
    card.min(CARDS - 1)
}

async fn study(pstate: PState, trouble: bool) -> Result<()> {
    for _ in 0..10 {
        pstate.get(card_key(some_card(trouble))).await?;
    }
    Ok(())
}

async fn open_deck(pstate: PState, trouble: bool) -> Result<()> {
    let number = some_card(trouble) / CARDS_OF_A_DECK;
    pstate.preload(format!("deck:{number}"), "cards").await?;
    Ok(())
}

/// What was migrated a moment ago and not yet written back is a conflict for the writer.
async fn edit(pstate: PState) -> Result<()> {
    let edited = pstate.update(card_key(some_card(false)), |card| {
        let edits = card.get("edits").and_then(Value::as_u64).unwrap_or(0);
        card.insert("edits".into(), json!(edits + 1));
        Ok(())
    });
    edited.await?;
    Ok(())
}

async fn visit(pstate: PState) -> Result<()> {
    let key = format!("session:{}", fastrand::u16(..));
    pstate.put(&key, &json!({ "since": "today" })).await?;
    pstate.delete(&key).await?;
    Ok(())
}

/// Reads everything, past the cache: slow, and known to be.
async fn report(pstate: PState) -> Result<()> {
    sleep(Duration::from_secs(20)).await;
    let uncached = pstate.cache_policy(CachePolicy::Bypass);
    uncached.multi_get((0..CARDS).map(card_key)).await?;
    Ok(())
}

async fn sweep(pstate: PState) -> Result<()> {
    sleep(Duration::from_secs(10)).await;
    pstate.migrate_all().rate(1_000).run().await?;
    Ok(())
}

/// Yesterday's program still runs, and stores what has to be migrated.
async fn store_as_yesterday(old: PState) -> Result<()> {
    let cards: Vec<usize> = (0..100).map(|_| fastrand::usize(..CARDS)).collect();
    let stored = cards.into_iter().map(|card| {
        let old = old.clone();
        async move { old.put_at(1, card_key(card), &old_card(card)).await }
    });
    try_join_all(stored).await?;
    Ok(())
}
