//! One round of a random test.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pstate::{Adapter, Batch, Builder, Document, PState, RetryLayer, Space, TimeoutLayer, Write};
use pstate_testkit::{FaultLayer, FaultRates, Settings};

use super::client::{Client, Documents};
use super::witness::{Witness, saw};
use crate::stores::Store;

/// Some delays are longer than some limits.
const LONGEST_DELAY: Duration = Duration::from_millis(8);
const LIMIT: Duration = Duration::from_millis(5);

/// Runs a round for each seed.
pub(super) async fn each_round(default: usize, round: impl AsyncFn(u64)) {
    let settings = Settings::from_env();
    for number in 0..settings.rounds(default) {
        round(settings.round_seed(number)).await;
    }
}

/// Tries what may still fail, because a limit is short, until it does not.
pub(super) async fn at_last(mut what: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if what().await {
            return;
        }
    }
    panic!("it still fails when there are no faults any more");
}

/// A space of a store, reached through random faults, and what is seen of it.
///
/// If it is dropped by a panic, it tells how to repeat the round, and what the store was asked.
pub(super) struct Round<'a> {
    store: &'a Store,
    space: Space,
    seed: u64,
    pub(super) rng: Rng,
    faults: Arc<FaultLayer>,
    /// Around all layers, without faults of its own: it knows when no call is under way in any.
    outermost: Arc<FaultLayer>,
    pub(super) witness: Arc<Witness>,
    pub(super) documents: Arc<Documents>,
}

impl<'a> Round<'a> {
    pub(super) fn new(store: &'a Store, seed: u64, documents: Documents) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rates = FaultRates::default().longest_delay(LONGEST_DELAY);
        let faults = Arc::new(FaultLayer::seeded(store.adapter(), rng.u64(..), rates));
        let mut layers: Arc<dyn Adapter> = faults.clone();
        if rng.bool() {
            layers = Arc::new(TimeoutLayer::new(layers, LIMIT));
        }
        if rng.bool() {
            layers = Arc::new(RetryLayer::new(layers).first_delay(Duration::from_millis(1)));
        }
        Self {
            store,
            space: format!("seed-{seed}").parse().unwrap(),
            seed,
            rng,
            faults,
            outermost: Arc::new(FaultLayer::new(layers)),
            witness: Arc::default(),
            documents: Arc::new(documents),
        }
    }

    /// A handle that is subject to the faults.
    pub(super) fn builder(&self) -> Builder {
        PState::builder(self.outermost.clone()).space(self.space.clone())
    }

    /// A handle that is not.
    pub(super) fn builder_without_faults(&self) -> Builder {
        self.store.builder().space(self.space.clone())
    }

    /// A client of its own randomness, whose calls are witnessed.
    pub(super) fn client(&mut self, pstate: &PState) -> Client {
        self.client_seen_by(pstate, self.witness.clone())
    }

    /// A client whose calls are witnessed by somebody else.
    pub(super) fn client_seen_by(&mut self, pstate: &PState, witness: Arc<Witness>) -> Client {
        Client {
            pstate: pstate.clone(),
            witness,
            documents: self.documents.clone(),
            its_own: self.documents.cells(),
            rng: self.rng.fork(),
        }
    }

    /// Ends the faults and waits until nothing is under way.
    pub(super) async fn heal(&self) {
        self.faults.heal();
        self.outermost.settled().await;
        self.faults.settled().await;
        // Writes whose caller went away may wait in the store; it does them in their order.
        let last = Write::put("last:1".parse().unwrap(), *b"{}");
        let batch = Batch::each(vec![last]);
        self.store.adapter().write(&Space::default(), &batch).await.unwrap();
    }

    /// How often the store was asked for something.
    pub(super) fn calls(&self) -> usize {
        self.outermost.log().operations().len()
    }

    /// What is stored, in the order of the cells; witnessed.
    pub(super) async fn stored(&self) -> Vec<Option<Document>> {
        let attempt = self.witness.begin("stored".to_owned());
        let plain = self.builder_without_faults().build().unwrap();
        let stored = plain.multi_get(self.documents.keys()).await.unwrap();
        attempt.found(
            (0..)
                .zip(&stored)
                .map(|(cell, document)| saw(cell, document.as_ref().map(Documents::value))),
        );
        stored
    }

    /// Everything that was witnessed can have happened in some order.
    pub(super) fn check(&self) {
        if let Err(why) = self.witness.history().check() {
            panic!("{why}");
        }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the store was asked:\n{}", self.faults.log().lines().join("\n"));
            let seed = self.seed;
            // The test harness names threads after tests.
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            let test = if test.contains("faults") { test } else { "faults".to_owned() };
            eprintln!(
                "to repeat this round: PSTATE_TESTKIT_SEED={seed} PSTATE_TESTKIT_ROUNDS=1 \
                 cargo test -p pstate-tests --test it -- {test}"
            );
        }
    }
}
