//! One round: processes start, the fault happens, everything is compared.

use crate::backend::Backend;
use crate::fault::Fault;
use crate::process::Process;
use crate::round::{Round, SLOTS, slots_of};

/// How many wrong reads of a round are shown.
const SHOWN: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) injected: usize,
    pub(crate) violations: Vec<String>,
    acknowledged: usize,
    reads: usize,
    errors: Vec<String>,
}

impl Report {
    pub(crate) fn summary(&self) -> String {
        let Self { injected, violations, acknowledged, reads, errors } = self;
        let counts = format!(
            "{injected} injected, {acknowledged} writes, {reads} reads, {} violations",
            violations.len()
        );
        let mut lines = vec![counts];
        lines.extend(errors.iter().map(|error| format!("  error {error}")));
        lines.join("\n")
    }
}

/// Runs a round. What keeps it from running is a violation, too: nothing was tested.
pub(crate) fn run(fault: &dyn Fault, seed: u64) -> Report {
    let place = match fault.place() {
        Ok(place) => place,
        Err(why) => return Report { violations: vec![why], ..Report::default() },
    };
    let mut round = Round::new(place, seed);
    let done = play(&mut round, fault);
    let reports = round.reports();
    let mut violations = std::mem::take(&mut *reports.violations.lock());
    violations.extend(done.err());
    let history = reports.history.lock();
    let wrong = history.wrong_reads();
    let more = wrong.len().saturating_sub(SHOWN);
    violations.extend(wrong.into_iter().take(SHOWN));
    violations.extend((more > 0).then(|| format!("{more} more wrong reads")));
    let (acknowledged, reads) = history.counts();
    let errors = std::mem::take(&mut *reports.errors.lock());
    Report { injected: round.injected(), violations, acknowledged, reads, errors }
}

fn play(round: &mut Round, fault: &dyn Fault) -> Result<(), String> {
    let url = round.place.url();
    // One handle at a time uses a directory of sled's.
    let count = if fault.backend() == Backend::Sled { 1 } else { 2 };
    let all = 0..count * SLOTS;
    for worker in 0..count {
        round.start(&url, slots_of(worker), all.clone())?;
    }
    fault.inject(round)?;
    round.pause(50..300);
    for worker in round.workers.drain(..) {
        worker.finish();
    }
    let mut truth = std::mem::take(&mut round.truth);
    if truth.is_empty() {
        truth.push((all, url));
    }
    for (slots, url) in truth {
        // It writes nothing.
        round.start(&url, 0..0, slots.clone())?;
        let found = round.workers.pop().map(Process::finish).unwrap_or_default();
        let reports = round.reports();
        let mut violations = reports.violations.lock();
        if found.len() != slots.len() {
            let (found, all) = (found.len(), slots.len());
            violations.push(format!("{found} of {all} documents can be read at last"));
        }
        let history = reports.history.lock();
        let wrong = found.into_iter().filter_map(|found| history.wrong_at_last(found));
        violations.extend(wrong.map(|wrong| format!("at last: {wrong}")));
    }
    round.place.excess().map_or(Ok(()), Err)
}
