//! How long a page may be.

use std::num::NonZeroUsize;

use super::settings::Settings;
use crate::model::Key;
use crate::storage::{Page, Scan};

/// How many documents the first page has, at most: nothing is known yet of their size.
const FIRST: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Learns from the pages of a space how many documents fit into one.
#[derive(Debug)]
pub(super) struct PageLen {
    most: NonZeroUsize,
    bytes: NonZeroUsize,
    next: NonZeroUsize,
}

impl PageLen {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { page_size: most, page_bytes: bytes, .. } = *settings;
        Self { most, bytes, next: most.min(FIRST) }
    }

    /// How many documents the next page may have.
    pub(super) fn next(&self) -> NonZeroUsize {
        self.next
    }

    /// Takes note of a page with so many documents of so many bytes.
    pub(super) fn learn(&mut self, documents: usize, bytes: usize) {
        let Some(each) = bytes.checked_div(documents) else { return };
        let fit = self.bytes.get().checked_div(each).unwrap_or(usize::MAX);
        let next = fit.min(self.next.get().saturating_mul(2)).min(self.most.get());
        self.next = NonZeroUsize::new(next).unwrap_or(NonZeroUsize::MIN);
    }
}

/// The page of a space after a key.
pub(super) fn page_after(after: Option<Key>, limit: NonZeroUsize) -> Scan {
    Scan { prefix: String::new(), after, limit }
}

/// How many bytes the documents of a page have.
pub(super) fn bytes_of(page: &Page) -> usize {
    page.records.iter().map(|(_, record)| record.bytes.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_len(most: usize, bytes: usize) -> PageLen {
        let [most, bytes] = [most, bytes].map(|number| NonZeroUsize::new(number).unwrap());
        PageLen { most, bytes, next: most.min(FIRST) }
    }

    #[test]
    fn pages_grow_to_the_most_documents_and_no_further() {
        let mut len = page_len(300, 1 << 20);
        let lens = [(); 5].map(|()| {
            let next = len.next().get();
            len.learn(next, next * 100);
            next
        });
        assert_eq!(lens, [64, 128, 256, 300, 300]);
    }

    #[test]
    fn pages_of_large_documents_are_short() {
        let mut len = page_len(300, 1_000);
        len.learn(64, 64 * 100);
        assert_eq!(len.next().get(), 10);
        len.learn(10, 10 * 5_000);
        assert_eq!(len.next().get(), 1);
        len.learn(1, 0);
        assert_eq!(len.next().get(), 2);
        len.learn(0, 0);
        assert_eq!(len.next().get(), 2);
    }
}
