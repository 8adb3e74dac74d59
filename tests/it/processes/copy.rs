//! A copy that is killed goes on where it was, in another process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pstate::{ErrorKind, PState, copy};
use pstate_testkit::FaultLayer;

use super::child::{self, Child, HELD, open, say};
use crate::stores::deck_of;

const CARDS: usize = 500;
const PAGE: usize = 50;

/// Copies until a certain write, counted from 0, and says when it is at it: before its effect, or
/// after it and before the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `one_that_is_killed_goes_on_where_it_was`, in a process of its own"]
async fn the_process_that_is_killed() {
    let from = child::file();
    let faults = Arc::new(FaultLayer::new(open(&target(&from))));
    let held = child::hold_at_write(&faults);
    let copying = copy(open(&from), faults).page_size(PAGE).start().await.unwrap();
    held.reached().await;
    say(HELD);
    assert!(copying.wait().await.unwrap().is_complete());
}

/// The file that is copied to.
fn target(from: &Path) -> PathBuf {
    from.with_file_name("target.db")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("app.db");
    let plain = PState::builder(open(&from)).build().unwrap();
    let deck = deck_of(CARDS);
    for card in 0..CARDS {
        plain.put(deck.card_key(card), &deck.card(card)).await.unwrap();
    }
    let mut noted = 0;
    // It notes whose documents they are, then for each page writes the documents and a note; one
    // that goes on has noted whose they are already.
    for (kill_at, pages) in [
        ("0 before", 0),
        ("0 after", 0),
        ("0 after", 0),
        ("1 before", 0),
        ("1 after", 1),
        ("4 after", 2),
        ("0 before", 0),
        ("5 before", 2),
    ] {
        let mut child = Child::start("processes::copy::the_process_that_is_killed", &from, kill_at);
        tokio::task::spawn_blocking(move || child.kill_when_held()).await.unwrap();
        noted += pages * PAGE;
    }
    let report = copy(open(&from), open(&target(&from))).page_size(PAGE).run().await.unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.documents_before, report.documents), (noted as u64, CARDS as u64));
    let error = copy(open(&from), open(&target(&from))).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let copied = PState::builder(open(&target(&from))).build().unwrap();
    let card = copied.get(deck.card_key(CARDS - 1)).await.unwrap().unwrap();
    assert_eq!(card.value().unwrap(), &deck.card(CARDS - 1));
}
