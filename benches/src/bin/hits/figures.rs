//! The table of reads.

use pstate_benches::measure::median;
use serde::Serialize;

use crate::contender::Contender;

/// The heading of the lines that [`report`] prints.
pub(crate) fn heading() {
    println!(
        "{:<22}{:>10}{:>9}  {:<12}{:>10}{:>16}",
        "case", "documents", "threads", "contender", "median", "to quick_cache"
    );
}

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    case: &'static str,
    documents: usize,
    threads: usize,
    #[serde(rename = "side")]
    contender: Contender,
    median_ns: f64,
    /// The median of the rounds' ratios.
    to_bare: f64,
}

/// Prints and keeps a line for each contender.
pub(crate) fn report(
    case: &'static str,
    documents: usize,
    threads: usize,
    contenders: &[Contender],
    measured: &[Vec<f64>],
    all: &mut Vec<Figures>,
) {
    let bare = contenders.iter().position(|contender| *contender == Contender::Bare);
    let bare = &measured[bare.unwrap_or_default()];
    for (contender, rounds) in contenders.iter().zip(measured) {
        let ratios = rounds.iter().zip(bare).map(|(own, bare)| own / bare).collect();
        let figures = Figures {
            case,
            documents,
            threads,
            contender: *contender,
            median_ns: median(rounds.clone()),
            to_bare: median(ratios),
        };
        println!(
            "{case:<22}{documents:>10}{threads:>9}  {:<12}{:>7.1} ns{:>16.2}",
            contender.name(),
            figures.median_ns,
            figures.to_bare
        );
        all.push(figures);
    }
}
