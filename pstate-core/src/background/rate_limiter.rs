//! How fast a job runs, and how fast it may run.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::runtime::Instant;

/// Over how many pages the rate is measured.
const PAGES: usize = 32;

/// Measures work that is done page by page, and says when the next page may begin.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    /// When each of the last pages ended, and how many documents it had.
    pages: VecDeque<(Instant, usize)>,
    /// When the current page, or the last one, began.
    began: Option<Instant>,
    /// How many documents it had.
    len: usize,
}

impl RateLimiter {
    pub(super) fn begin_page(&mut self, now: Instant) {
        self.began = Some(now);
        if self.pages.is_empty() {
            self.pages.push_back((now, 0));
        }
    }

    pub(super) fn end_page(&mut self, now: Instant, len: usize) {
        self.len = len;
        self.pages.push_back((now, len));
        if self.pages.len() > PAGES {
            self.pages.pop_front();
        }
    }

    /// Forgets what was measured, and lets the next page begin at once: what it was measured on is
    /// over.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Forgets what was measured, within a page: the wait says nothing about the work. The next
    /// page begins no earlier for it.
    pub(super) fn measure_from(&mut self, now: Instant) {
        self.pages.clear();
        self.pages.push_back((now, 0));
    }

    /// When the next page may begin, at a rate in documents per second.
    pub(super) fn due(&self, rate: Option<NonZeroU32>, now: Instant) -> Instant {
        match (self.began, rate) {
            (Some(began), Some(rate)) => {
                let documents = u32::try_from(self.len).unwrap_or(u32::MAX);
                began + Duration::from_secs(1).saturating_mul(documents) / rate.get()
            }
            _ => now,
        }
    }

    /// How long this many documents take at the measured rate.
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
    pub(super) fn time_for(&self, documents: u64) -> Option<Duration> {
        if documents == 0 {
            return Some(Duration::ZERO);
        }
        let rate = self.rate();
        (rate > 0.0).then(|| Duration::try_from_secs_f64(documents as f64 / rate).ok()).flatten()
    }

    /// Documents per second, over the last pages.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
    pub(super) fn rate(&self) -> f64 {
        let (Some((first, _)), Some((last, _))) = (self.pages.front(), self.pages.back()) else {
            return 0.0;
        };
        let seconds = (*last - *first).as_secs_f64();
        let documents: usize = self.pages.iter().skip(1).map(|(_, len)| len).sum();
        if seconds > 0.0 { documents as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_within_a_page_does_not_lift_the_limit() {
        let (mut limiter, began, rate) = (RateLimiter::default(), Instant::now(), NonZeroU32::MIN);
        limiter.begin_page(began);
        limiter.end_page(began, 10);
        limiter.begin_page(began + Duration::from_secs(10));
        limiter.measure_from(began + Duration::from_secs(12));
        limiter.end_page(began + Duration::from_secs(14), 10);
        let now = began + Duration::from_secs(14);
        assert_eq!(limiter.due(Some(rate), now), began + Duration::from_secs(20));
        assert!((limiter.rate() - 5.0).abs() < f64::EPSILON, "{}", limiter.rate());
        limiter.restart();
        assert_eq!(limiter.due(Some(rate), now), now);
    }
}
