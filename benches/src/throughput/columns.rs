//! The table of many tasks.

use crate::table::{Table, time};

use super::figures::{Figures, Mix};

const HEADING: [&str; 10] = [
    "mix",
    "backend",
    "tasks",
    "operations/s",
    "p50",
    "p99",
    "p99.9",
    "timer late, p50",
    "p99",
    "at most",
];

/// A line for each mix and number of tasks.
pub(crate) fn table(figures: &[Figures]) -> Table {
    Table::new(HEADING, figures.iter().map(cells))
}

fn cells(figures: &Figures) -> Vec<String> {
    let took = |nanos: f64| if figures.mix == Mix::Idle { "-".to_owned() } else { time(nanos) };
    vec![
        figures.mix.name().to_owned(),
        figures.backend.clone(),
        figures.tasks.to_string(),
        format!("{:.0}", figures.operations_per_second),
        took(figures.p50_ns),
        took(figures.p99_ns),
        took(figures.p999_ns),
        time(figures.timer_p50_ns),
        time(figures.timer_p99_ns),
        time(figures.timer_max_ns),
    ]
}
