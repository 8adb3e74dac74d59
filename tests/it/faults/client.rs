//! A client of the handle that says what it did and saw.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use fastrand::Rng;
use pstate::{Document, ErrorKind, Expect, PState};
use pstate_testkit::history::{Action, Cell, Expectation, Value};
use serde_json::json;

use super::round::at_last;
use super::witness::{Witness, alter, saw, set};

/// The documents of a test: the key of each cell, and what is in it besides its value.
#[derive(Debug)]
pub(super) struct Documents(pub(super) Vec<(String, serde_json::Value)>);

impl Documents {
    pub(super) fn key(&self, cell: Cell) -> &str {
        &self.0[cell as usize].0
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// The cell of a key.
    pub(super) fn cell(&self, key: &str) -> Cell {
        let at = self.keys().position(|known| known == key);
        at.and_then(|at| Cell::try_from(at).ok()).unwrap()
    }

    pub(super) fn cells(&self) -> Range<Cell> {
        0..Cell::try_from(self.0.len()).unwrap()
    }

    /// A cell's document with this value.
    pub(super) fn with(&self, cell: Cell, value: Value) -> serde_json::Value {
        let mut document = self.0[cell as usize].1.clone();
        document["rank"] = json!(value);
        document
    }

    /// The same as it was written yesterday, when ranks were text.
    pub(super) fn old_with(&self, cell: Cell, value: Value) -> serde_json::Value {
        let mut document = self.with(cell, value);
        document["rank"] = json!(value.to_string());
        document
    }

    /// The value of a document, of today or yesterday.
    pub(super) fn value(document: &Document) -> Value {
        value_of(document.get("rank").unwrap().unwrap())
    }
}

fn value_of(rank: &serde_json::Value) -> Value {
    let number = rank.as_u64().or_else(|| rank.as_str()?.parse().ok());
    number.and_then(|number| Value::try_from(number).ok()).unwrap()
}

/// One task's use of the handle.
pub(super) struct Client {
    pub(super) pstate: PState,
    pub(super) witness: Arc<Witness>,
    pub(super) documents: Arc<Documents>,
    /// The cells that it writes to.
    pub(super) its_own: Range<Cell>,
    pub(super) rng: Rng,
}

impl Client {
    /// One of the cells that it writes to.
    pub(super) fn one(&mut self) -> Cell {
        self.rng.u32(self.its_own.clone())
    }

    /// Two different ones.
    fn two(&mut self) -> (Cell, Cell) {
        let Range { start, end } = self.its_own;
        let (one, count) = (self.one(), end - start);
        (one, start + (one - start + self.rng.u32(1..count)) % count)
    }

    /// Does one thing; now and then goes away before it is done.
    pub(super) async fn act(&mut self, what: impl AsyncFnOnce(&mut Self)) {
        let impatient = self.rng.u8(..8) == 0;
        let polls = if impatient { self.rng.u32(1..4) } else { u32::MAX };
        let mut left = polls;
        let mut action = pin!(what(self));
        std::future::poll_fn(|cx| {
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { action.as_mut().poll(cx) }
        })
        .await;
    }

    /// Reads in one of the ways there are.
    pub(super) async fn read(&mut self) {
        match self.rng.u8(..6) {
            0..4 => {
                let cell = self.rng.u32(self.documents.cells());
                self.get(cell).await;
            }
            4 => self.multi_get().await,
            _ => self.scan().await,
        }
    }

    /// Writes in one of the ways there are.
    pub(super) async fn write(&mut self) {
        match self.rng.u8(..8) {
            0..3 => {
                let cell = self.one();
                self.put(cell).await;
            }
            3 => self.delete().await,
            4 | 5 => self.update().await,
            6 => self.multi_put().await,
            _ => self.batch().await,
        }
    }

    /// Reads one document; whether that was possible.
    pub(super) async fn get(&mut self, cell: Cell) -> bool {
        let key = self.documents.key(cell);
        let attempt = self.witness.begin(format!("get {key}"));
        let result = self.pstate.get(key).await;
        match &result {
            Ok(document) => attempt.found([saw(cell, document.as_ref().map(Documents::value))]),
            Err(error) => attempt.failed(error),
        }
        result.is_ok()
    }

    /// Reads all documents, however often it takes.
    pub(super) async fn get_each(&mut self) {
        for cell in self.documents.cells() {
            at_last(async || self.get(cell).await).await;
        }
    }

    async fn multi_get(&mut self) {
        let attempt = self.witness.begin("multi_get".to_owned());
        match self.pstate.multi_get(self.documents.keys()).await {
            Ok(documents) => attempt.found(
                (0..)
                    .zip(&documents)
                    .map(|(cell, document)| saw(cell, document.as_ref().map(Documents::value))),
            ),
            Err(error) => attempt.failed(&error),
        }
    }

    async fn scan(&mut self) {
        let attempt = self.witness.begin("scan".to_owned());
        match self.pstate.scan("").page().await {
            Ok(page) => {
                assert_eq!(page.next, None);
                let documents: Vec<_> = page.documents.into_iter().map(Result::unwrap).collect();
                attempt.found(self.documents.cells().map(|cell| {
                    let key = self.documents.key(cell);
                    let found = documents.iter().find(|document| document.key().as_str() == key);
                    saw(cell, found.map(Documents::value))
                }));
            }
            Err(error) => attempt.failed(&error),
        }
    }

    pub(super) async fn put(&mut self, cell: Cell) {
        let (key, value) = (self.documents.key(cell), self.witness.new_value());
        let mut attempt = self.witness.begin(format!("put {key} := {value}"));
        attempt.announce([set(cell, Some(value))]);
        match self.pstate.put(key, &self.documents.with(cell, value)).await {
            Ok(_) => attempt.succeeded(),
            Err(error) => attempt.failed(&error),
        }
    }

    /// Stores a document as it was written yesterday.
    pub(super) async fn put_old(&mut self, cell: Cell) {
        let (key, value) = (self.documents.key(cell), self.witness.new_value());
        let mut attempt = self.witness.begin(format!("put_at(1) {key} := {value}"));
        attempt.announce([set(cell, Some(value))]);
        match self.pstate.put_at(1, key, &self.documents.old_with(cell, value)).await {
            Ok(_) => attempt.succeeded(),
            Err(error) => attempt.failed(&error),
        }
    }

    async fn delete(&mut self) {
        let cell = self.one();
        let key = self.documents.key(cell);
        let mut attempt = self.witness.begin(format!("delete {key}"));
        attempt.announce([set(cell, None)]);
        match self.pstate.delete(key).await {
            Ok(()) => attempt.succeeded(),
            Err(error) => attempt.failed(&error),
        }
    }

    async fn update(&mut self) {
        let cell = self.one();
        let (key, value) = (self.documents.key(cell), self.witness.new_value());
        let mut attempt = self.witness.begin(format!("update {key} := {value}"));
        let updated = self.pstate.update(key, |document| {
            let before = value_of(&document["rank"]);
            let becomes = alter(cell, Expectation::Is(before), Some(value));
            attempt.announce([Action::Change(vec![becomes])]);
            document["rank"] = json!(value);
            Ok(())
        });
        match updated.await {
            Ok(Some(_)) => attempt.succeeded(),
            Ok(None) => attempt.found([saw(cell, None)]),
            Err(error) => attempt.failed(&error),
        }
    }

    async fn multi_put(&mut self) {
        let (one, other) = self.two();
        let puts = [one, other].map(|cell| (cell, self.witness.new_value()));
        let mut attempt = self.witness.begin(format!("multi_put {puts:?}"));
        attempt.announce(puts.map(|(cell, value)| set(cell, Some(value))));
        let documents =
            puts.map(|(cell, value)| (self.documents.key(cell), self.documents.with(cell, value)));
        match self.pstate.multi_put(documents).await {
            Ok(()) => attempt.succeeded(),
            Err(error) => attempt.failed(&error),
        }
    }

    /// Puts one document, and another that must not be there.
    async fn batch(&mut self) {
        let (one, other) = self.two();
        let (first, second) = (self.witness.new_value(), self.witness.new_value());
        let (put, created) = (self.documents.key(one), self.documents.key(other));
        let label = format!("batch: put {put} := {first}, create {created} := {second}");
        let mut attempt = self.witness.begin(label);
        attempt.announce([Action::Change(vec![
            alter(one, Expectation::Any, Some(first)),
            alter(other, Expectation::Absent, Some(second)),
        ])]);
        let batch = self.pstate.batch().put(put, &self.documents.with(one, first)).put_expecting(
            created,
            Expect::Absent,
            &self.documents.with(other, second),
        );
        match batch.commit().await {
            Ok(()) => attempt.succeeded(),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                attempt.found([Action::Refuse(vec![(other, Expectation::Absent, false)])]);
            }
            Err(error) => attempt.failed(&error),
        }
    }
}
