//! Preloads while documents change: all that was asked for and nothing stale, or an error.

use std::time::Duration;

use futures_util::future::join_all;
use pstate::{Document, Loaded, PState, Preload};
use pstate_testkit::history::{Action, Cell};
use serde_json::json;

use super::client::{Client, Documents};
use super::round::{Round, at_last, each_round};
use super::witness::saw;
use crate::stores::{Store, on_each_store};

const CARDS: usize = 4;
const NOTES: usize = 2;
const DECK: Cell = 0;

/// A deck of four cards with two notes each.
fn documents() -> Documents {
    let references = |keys: &[String]| keys.iter().map(|key| json!({ "$ref": key })).collect();
    let list = |keys: &[String]| serde_json::Value::Array(references(keys));
    let mut documents = vec![("deck:1".to_owned(), json!({ "cards": list(&cards()) }))];
    documents.extend(cards().into_iter().map(|card| {
        let notes = list(&notes(&card));
        (card, json!({ "notes": notes }))
    }));
    documents.extend(cards().iter().flat_map(|card| notes(card)).map(|note| (note, json!({}))));
    Documents(documents)
}

fn cards() -> Vec<String> {
    (0..CARDS).map(|id| format!("card:{id}")).collect()
}

fn notes(card: &str) -> Vec<String> {
    (0..NOTES).map(|id| format!("note:{}-{id}", &card["card:".len()..])).collect()
}

/// Follows a field and finds there what `expected` says, in this order, but for what is reported as
/// dangling or unreadable; says what was seen.
fn follow<'a>(
    loaded: &'a Loaded,
    from: &Document,
    field: &str,
    expected: &[String],
    seen: &mut Vec<(String, Option<&'a Document>)>,
) {
    let mut followed = loaded.follow(from, field).unwrap().peekable();
    for key in expected {
        if let Some(document) = followed.next_if(|document| document.key().as_str() == key) {
            seen.push((key.clone(), Some(document)));
        } else if loaded.dangling().iter().any(|dangling| dangling.to.as_str() == key) {
            seen.push((key.clone(), None));
        } else {
            let failed = |error: &pstate::Error| error.key().is_some_and(|of| of.as_str() == key);
            assert!(loaded.failures().iter().any(failed), "{key} is missing without a word");
        }
    }
    assert_eq!(followed.next(), None);
}

impl Client {
    /// Preloads the deck; whether that was possible.
    async fn preload(&mut self, keep_going: bool) -> bool {
        let preload: Preload = "cards.notes".parse().unwrap();
        let preload = if keep_going { preload.keep_going() } else { preload };
        let attempt = self.witness.begin("preload".to_owned());
        let loaded = match self.pstate.preload(self.documents.key(DECK), preload).await {
            Ok(loaded) => loaded.unwrap(),
            Err(error) => {
                attempt.failed(&error);
                return false;
            }
        };
        let mut seen = vec![(loaded.root().key().to_string(), Some(loaded.root()))];
        follow(&loaded, loaded.root(), "cards", &cards(), &mut seen);
        for card in loaded.follow(loaded.root(), "cards").unwrap() {
            follow(&loaded, card, "notes", &notes(card.key().as_str()), &mut seen);
        }
        attempt.found(seen.into_iter().map(|(key, document)| -> Action {
            saw(self.documents.cell(&key), document.map(Documents::value))
        }));
        true
    }
}

/// Some tasks preload the deck while others change what is in it; then the faults end.
async fn preload_a_deck(round: &mut Round<'_>) -> PState {
    let plain = round.builder_without_faults().build().unwrap();
    let mut author = round.client(&plain);
    for cell in round.documents.cells() {
        author.put(cell).await;
    }
    let pstate = round.builder().build().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let mut reader = round.client(&pstate);
        tasks.push(tokio::spawn(async move {
            for _ in 0..15 {
                let keep_going = reader.rng.bool();
                reader.act(async |reader| _ = reader.preload(keep_going).await).await;
            }
        }));
    }
    for _ in 0..2 {
        let mut writer = round.client(&pstate);
        writer.its_own.start = DECK + 1;
        tasks.push(tokio::spawn(async move {
            for _ in 0..15 {
                writer.act(async |writer| writer.write().await).await;
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in join_all(tasks).await {
        task.unwrap();
    }
    round.heal().await;
    let mut last = round.client(&pstate);
    at_last(async || last.preload(false).await).await;
    round.stored().await;
    round.check();
    pstate
}

on_each_store! {
    async fn a_preload_fails_or_is_complete_and_current(store: Store) {
        each_round(8, async |seed| {
            preload_a_deck(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_of_events_a_preload_fails_or_is_complete_and_current() {
    each_round(100, async |seed| {
        let store = Store::memory();
        preload_a_deck(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_document_is_kept_from_the_cache_for_ever() {
    each_round(20, async |seed| {
        let store = Store::memory();
        let mut round = Round::new(&store, seed, documents());
        let pstate = preload_a_deck(&mut round).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        let mut last = round.client(&pstate);
        at_last(async || last.preload(false).await).await;
        let asked = round.calls();
        assert!(last.preload(false).await);
        assert_eq!(round.calls(), asked);
        round.check();
    })
    .await;
}
