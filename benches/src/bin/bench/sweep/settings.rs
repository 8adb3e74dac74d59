//! What is swept, and how.

use clap::Args;
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};

/// What is swept, and how.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(super) struct Settings {
    /// How many cards are stored, all at version 1.
    #[arg(long, default_value_t = 380_000)]
    pub(super) documents: usize,
    /// How many documents a page of the sweep has; by default the sweep decides for each page.
    #[arg(long)]
    pub(super) page_size: Option<usize>,
    /// The most documents a second that the sweep reads; 0 for no limit.
    #[arg(long, default_value_t = 0)]
    pub(super) rate: u32,
    /// How many operations a second all users do, one write to four reads.
    #[arg(long, default_value_t = 1_000)]
    pub(super) load: u32,
    /// How many seconds the users are measured before the sweep, and after it.
    #[arg(long, default_value_t = 10)]
    pub(super) seconds: u64,
}

/// The most documents of a page whose length the sweep decides.
const LONGEST_PAGE: usize = 2_048;

impl Settings {
    /// The most documents that a page has.
    pub(super) fn longest_page(&self) -> usize {
        self.page_size.unwrap_or(LONGEST_PAGE)
    }

    /// The cards of the store.
    pub(super) fn deck(&self) -> Deck {
        Deck { id: "many", cards: self.documents, translations: 3 }
    }
}
