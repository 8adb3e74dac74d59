//! Showing what was measured.

use serde::Serialize;

use crate::measure::Measured;
use crate::operation::Operation;

/// What was measured of one operation; times in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The operation's name.
    pub operation: &'static str,
    /// The store.
    pub backend: &'static str,
    /// PState's median.
    pub median_ns: f64,
    /// PState's 99th percentile.
    pub p99_ns: f64,
    /// What the baseline is: [`Operation::baseline`].
    pub baseline: &'static str,
    /// The baseline's median; by hand, with parsing.
    pub baseline_ns: f64,
    /// The baseline's 99th percentile.
    pub baseline_p99_ns: f64,
    /// PState's median to the baseline's.
    pub ratio: f64,
    /// The median of the same ratio in each round.
    pub ratio_of_rounds: f64,
    /// The median of the rounds' differences: by how much PState takes longer than the baseline.
    pub difference_ns: f64,
    /// PState's median to that by hand without parsing; `None` where there is none.
    pub ratio_raw: Option<f64>,
    /// [`Operation::target_ns`].
    pub target_ns: Option<f64>,
    /// [`Operation::reference_ns`].
    pub reference_ns: Option<f64>,
}

impl Row {
    /// A row of what [`measure`](crate::measure()) has returned for an operation.
    ///
    /// # Panics
    /// If that is not at least two sides.
    pub fn new(operation: Operation, measured: &[Measured]) -> Self {
        let (ours, baseline) = (&measured[0], &measured[1]);
        Self {
            operation: operation.name(),
            backend: "sqlite",
            median_ns: ours.median(),
            p99_ns: ours.p99(),
            baseline: operation.baseline(),
            baseline_ns: baseline.median(),
            baseline_p99_ns: baseline.p99(),
            ratio: ours.ratio_to(baseline),
            ratio_of_rounds: ours.ratio_of_rounds_to(baseline),
            difference_ns: ours.difference_to(baseline),
            ratio_raw: measured.get(2).map(|raw| ours.ratio_to(raw)),
            target_ns: operation.target_ns(),
            reference_ns: operation.reference_ns(),
        }
    }

    fn cells(&self) -> [String; 12] {
        let optional = |nanos: Option<f64>| nanos.map_or("-".to_owned(), time);
        [
            self.operation.to_owned(),
            time(self.median_ns),
            time(self.p99_ns),
            self.baseline.to_owned(),
            time(self.baseline_ns),
            time(self.baseline_p99_ns),
            format!("{:.2}", self.ratio),
            format!("{:.2}", self.ratio_of_rounds),
            time(self.difference_ns),
            self.ratio_raw.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            optional(self.target_ns),
            optional(self.reference_ns),
        ]
    }
}

/// The rows as text, aligned, with a heading.
pub fn table(rows: &[Row]) -> String {
    let heading = [
        "operation",
        "median",
        "p99",
        "baseline",
        "its median",
        "its p99",
        "ratio",
        "rounds",
        "difference",
        "raw",
        "target",
        "reference",
    ];
    let mut lines = vec![heading.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| {
        lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[String; 12]| {
        let aligned = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        aligned.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.iter().map(line).collect()
}

/// A time with three digits.
fn time(nanos: f64) -> String {
    let (value, unit) = match nanos {
        nanos if nanos.abs() < 1e3 => (nanos, "ns"),
        nanos if nanos.abs() < 1e6 => (nanos / 1e3, "us"),
        nanos if nanos.abs() < 1e9 => (nanos / 1e6, "ms"),
        nanos => (nanos / 1e9, "s"),
    };
    let decimals = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let shown = [9.0, 45.67, 450.0, 1_800.0, 486_000.0, 20e6, 2e9, -1_800.0].map(time);
        assert_eq!(
            shown,
            ["9.00 ns", "45.7 ns", "450 ns", "1.80 us", "486 us", "20.0 ms", "2.00 s", "-1.80 us"]
        );
    }
}
