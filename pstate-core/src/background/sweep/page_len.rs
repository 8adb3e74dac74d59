//! How long the pages of a sweep are.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::runtime::Instant;

/// The first page of a type: nothing is known of its documents yet.
const FIRST: usize = 256;

const SHORTEST: usize = 64;

/// Beyond it a page costs as much as its documents do.
const LONGEST: usize = 2_048;

/// How many bytes a page is to hold at most.
const MAX_BYTES: usize = 4 << 20;

/// How much longer than the last page a page is at most.
const GROWTH: usize = 4;

/// How long others may have to wait for the write of a page while they use the store.
const SHARED: Duration = Duration::from_millis(2);

/// The same while no one else uses it.
const ALONE: Duration = Duration::from_millis(20);

/// How long no one else must have used the store until pages may grow again.
const QUIET: Duration = Duration::from_secs(1);

/// The length of the next page.
#[derive(Debug)]
pub(super) struct PageLen {
    len: usize,
    /// Of each page, as the program wants it.
    fixed: Option<NonZeroUsize>,
    /// Until when others are assumed to use the store.
    shared_until: Option<Instant>,
}

/// A page that was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct DonePage {
    pub(super) documents: usize,
    pub(super) bytes: usize,
    /// How many of the documents were stored, and how long that took.
    pub(super) stored: usize,
    pub(super) took: Duration,
    /// Whether others have used the store since the page before.
    pub(super) shared: bool,
}

impl PageLen {
    pub(super) fn new(fixed: Option<NonZeroUsize>) -> Self {
        Self { len: FIRST, fixed, shared_until: None }
    }

    pub(super) fn get(&self) -> NonZeroUsize {
        self.fixed.or(NonZeroUsize::new(self.len)).unwrap_or(NonZeroUsize::MIN)
    }

    /// Begins with the pages of another type.
    pub(super) fn begin_type(&mut self) {
        self.len = self.len.min(FIRST);
    }

    /// Adapts the length to the last page.
    pub(super) fn adapt(&mut self, page: DonePage, now: Instant) {
        if page.shared {
            self.shared_until = Some(now + QUIET);
        }
        let is_shared = self.shared_until.is_some_and(|until| now < until);
        let may_take = if is_shared { SHARED } else { ALONE };
        let in_time = scaled(page.stored, may_take.as_nanos(), page.took.as_nanos());
        let in_bytes = scaled(page.documents, MAX_BYTES as u128, page.bytes as u128);
        let longest = self.len.saturating_mul(GROWTH).clamp(SHORTEST, LONGEST);
        let of_stored = if page.stored == 0 { usize::MAX } else { in_time };
        let of_bytes = if page.documents == 0 { usize::MAX } else { in_bytes };
        self.len = of_stored.clamp(SHORTEST, longest).min(of_bytes).max(1);
    }
}

/// How many documents there are room for, if so many take so much of it.
fn scaled(documents: usize, room: u128, taken: u128) -> usize {
    let fit = (documents as u128).saturating_mul(room).checked_div(taken);
    fit.and_then(|fit| usize::try_from(fit).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: DonePage = DonePage {
        documents: 256,
        bytes: 256 * 300,
        stored: 256,
        took: Duration::from_millis(1),
        shared: false,
    };

    fn len(page_len: &PageLen) -> usize {
        page_len.get().get()
    }

    #[tokio::test(start_paused = true)]
    async fn pages_grow_while_no_one_waits_and_shrink_while_others_do() {
        let (mut page_len, now) = (PageLen::new(None), Instant::now());
        assert_eq!(len(&page_len), FIRST);
        page_len.adapt(PAGE, now);
        assert_eq!(len(&page_len), 1_024);
        page_len.adapt(DonePage { stored: 1_024, took: Duration::from_millis(16), ..PAGE }, now);
        assert_eq!(len(&page_len), 1_280);
        page_len.adapt(DonePage { shared: true, ..PAGE }, now);
        assert_eq!(len(&page_len), 512);
        // Another call comes within a second.
        page_len.adapt(PAGE, now + QUIET / 2);
        assert_eq!(len(&page_len), 512);
        page_len.adapt(PAGE, now + QUIET);
        assert_eq!(len(&page_len), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_of_long_documents_is_short_however_fast_it_was_stored() {
        let (mut page_len, now) = (PageLen::new(None), Instant::now());
        page_len.adapt(DonePage { bytes: 256 << 20, stored: 0, ..PAGE }, now);
        assert_eq!(len(&page_len), 4);
        page_len.adapt(DonePage { documents: 4, bytes: 40, stored: 0, ..PAGE }, now);
        page_len.begin_type();
        assert_eq!(len(&page_len), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn each_type_begins_short_and_what_the_program_wants_is_kept() {
        let (mut page_len, now) = (PageLen::new(None), Instant::now());
        page_len.adapt(PAGE, now);
        page_len.begin_type();
        assert_eq!(len(&page_len), FIRST);
        let mut fixed = PageLen::new(NonZeroUsize::new(10));
        fixed.adapt(PAGE, now);
        assert_eq!(len(&fixed), 10);
    }
}
