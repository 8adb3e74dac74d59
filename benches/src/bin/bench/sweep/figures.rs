//! The figures of a sweep, whether they are right, and how they are shown.

use std::fmt;

use pstate_benches::Result;
use pstate_benches::process::mebibytes;
use serde::Serialize;

use super::child::{Beside, Swept};
use super::settings::Settings;
use super::users::{Latency, Seen};

/// How long a sweep may take for a document, in microseconds.
const MOST_MICROS: f64 = 5.0;

/// How many times as long the users' 99th percentile may be while a sweep runs.
const MOST_P99: f64 = 1.3;

/// All figures; times in seconds unless the name says something else, memory in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) settings: Settings,
    pub(super) beside: Beside,
    /// Cards whose last acknowledged write is lost.
    pub(super) lost: usize,
    pub(super) cards_written: usize,
    /// Cards that are not at version 2 after the sweep beside users.
    pub(super) not_current: u64,
    pub(super) killed: Killed,
}

/// A sweep that was killed several times; another process resumed it each time.
#[derive(Debug, Serialize)]
pub(super) struct Killed {
    /// Cards at version 2 after each process was killed.
    pub(super) migrated: Vec<u64>,
    /// Those of them that the next process has read again.
    pub(super) done_twice: Vec<u64>,
    /// Cards that are not at version 2 in the end.
    pub(super) not_current: u64,
    /// The sweep of the last process.
    pub(super) resumed: Swept,
}

impl Figures {
    /// Fails if the sweep has not done what it promises.
    pub(super) fn check(&self) -> Result<()> {
        let Self { settings, beside, lost, not_current, killed, .. } = self;
        let documents = settings.documents as u64;
        let wrong = [
            (*lost > 0, "acknowledged writes are lost"),
            (*not_current > 0 || killed.not_current > 0, "documents are not current"),
            (beside.sweep.failed > 0 || killed.resumed.failed > 0, "documents have failed"),
            (
                beside.sweep.done != documents || killed.resumed.done != documents,
                "not all was swept",
            ),
            (
                killed.done_twice.iter().any(|twice| *twice > settings.longest_page() as u64),
                "more than a page was done twice",
            ),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err((*what).into()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, beside, lost, cards_written, not_current, killed } = self;
        let Beside { sweep, before, during, after, .. } = beside;
        let pages = match settings.page_size {
            Some(len) => format!("pages of {len}"),
            None => "pages as the sweep decides".to_owned(),
        };
        writeln!(f, "{} cards at version 1, {pages}", settings.documents)?;
        writeln!(f, "\nbeside users, {} operations/s:", settings.load)?;
        write_sweep(f, sweep)?;
        write_latency(f, "reads before", &before.reads)?;
        write_latency(f, "reads during", &during.reads)?;
        write_latency(f, "reads after", &after.reads)?;
        write_latency(f, "writes before", &before.writes)?;
        write_latency(f, "writes during", &during.writes)?;
        write_latency(f, "writes after", &after.writes)?;
        write_ratios(f, "reads", |seen| &seen.reads, beside)?;
        write_ratios(f, "writes", |seen| &seen.writes, beside)?;
        writeln!(f, "  {cards_written} cards written by users, {lost} lost")?;
        writeln!(f, "  {not_current} cards not at version 2 afterwards")?;
        let Killed { migrated, done_twice, not_current, resumed } = killed;
        writeln!(f, "\nkilled after {migrated:?} cards, then alone:")?;
        write_sweep(f, resumed)?;
        writeln!(f, "  {done_twice:?} cards read twice")?;
        writeln!(f, "  {not_current} cards not at version 2 afterwards")
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn write_sweep(f: &mut fmt::Formatter<'_>, swept: &Swept) -> fmt::Result {
    let Swept { seconds, start_seconds, done, done_before, stored, conflicts, failed, .. } = swept;
    let done = done - done_before;
    let (rate, micros) = (done as f64 / seconds, seconds * 1e6 / done as f64);
    writeln!(
        f,
        "  {done} documents in {seconds:.1} s, {rate:.0}/s, begun after {start_seconds:.1} s"
    )?;
    writeln!(f, "  {micros:.1} us a document{}", against(micros, MOST_MICROS))?;
    writeln!(f, "  {stored} stored in all, {conflicts} conflicts, {failed} failed")?;
    let [resident, peak] = [swept.resident_before, swept.peak].map(|bytes| mebibytes(bytes as f64));
    writeln!(f, "  memory: {resident} before, at most {peak}")
}

/// The users' 99th percentile during the sweep, as a multiple of that without it.
fn write_ratios(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    of: fn(&Seen) -> &Latency,
    beside: &Beside,
) -> fmt::Result {
    let Beside { before, during, after, .. } = beside;
    let during = of(during).p99_ns;
    let (to_before, to_after) = (during / of(before).p99_ns, during / of(after).p99_ns);
    let target = against(to_after, MOST_P99);
    writeln!(
        f,
        "  p99 of {name} during, to before: {to_before:.2}, to after: {to_after:.2}{target}"
    )
}

/// The target of a figure, and whether it is missed.
fn against(figure: f64, most: f64) -> String {
    let missed = if figure > most { ", missed" } else { "" };
    format!(" (target {most:.1}{missed})")
}

fn write_latency(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    let Latency { count, p50_ns, p99_ns, max_ns, p99_since_due_ns } = latency;
    let us = [p50_ns, p99_ns, max_ns, p99_since_due_ns].map(|nanos| nanos / 1e3);
    let [p50, p99, max, since_due] = us;
    writeln!(
        f,
        "  {name:<14}{count:>7}: p50 {p50:.1} us, p99 {p99:.1} us, max {max:.0} us; \
         p99 {since_due:.0} us after it was due"
    )
}
