//! Showing what was measured.

use serde::{Deserialize, Serialize};

use crate::backend::BackendName;
use crate::known::Aim;
use crate::measure::Measured;
use crate::operation::Operation;

/// What was measured of one operation; times in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The operation's name.
    pub operation: String,
    /// The store.
    pub backend: String,
    /// PState's median.
    pub median_ns: f64,
    /// PState's 99th percentile.
    pub p99_ns: f64,
    /// What the baseline is: [`Operation::baseline`].
    pub baseline: String,
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
    /// How many rounds there were.
    pub rounds: usize,
    /// [`Operation::aim`], if it is about the ratio.
    pub aim_ratio: Option<f64>,
    /// [`Operation::aim`], if it is about the median.
    pub aim_ns: Option<f64>,
    /// [`Operation::target_ns`].
    pub target_ns: Option<f64>,
    /// [`Operation::expectation_ns`].
    pub expectation_ns: Option<f64>,
    /// [`Operation::reference_ns`].
    pub reference_ns: Option<f64>,
    /// Which of aim, target, expectation and reference were not reached.
    pub missed: Vec<String>,
}

impl Row {
    /// A row of what [`measure`](crate::measure()) has returned for an operation.
    ///
    /// # Panics
    /// If that is not at least two sides.
    pub fn new(operation: Operation, backend: BackendName, measured: &[Measured]) -> Self {
        let (ours, baseline) = (&measured[0], &measured[1]);
        let (aim_ratio, aim_ns) = match operation.aim(backend) {
            Some(Aim::Ratio(ratio)) => (Some(ratio), None),
            Some(Aim::Time(nanos)) => (None, Some(nanos)),
            None => (None, None),
        };
        let mut row = Self {
            operation: operation.name().to_owned(),
            backend: backend.name().to_owned(),
            median_ns: ours.median(),
            p99_ns: ours.p99(),
            baseline: operation.baseline().to_owned(),
            baseline_ns: baseline.median(),
            baseline_p99_ns: baseline.p99(),
            ratio: ours.ratio_to(baseline),
            ratio_of_rounds: ours.ratio_of_rounds_to(baseline),
            difference_ns: ours.difference_to(baseline),
            ratio_raw: measured.get(2).map(|raw| ours.ratio_to(raw)),
            rounds: ours.rounds(),
            aim_ratio,
            aim_ns,
            target_ns: operation.target_ns(),
            expectation_ns: operation.expectation_ns(),
            reference_ns: operation.reference_ns(backend),
            missed: Vec::new(),
        };
        row.missed = row.what_is_missed(operation.is_about_the_difference());
        row
    }

    fn what_is_missed(&self, about_the_difference: bool) -> Vec<String> {
        let nanos = if about_the_difference { self.difference_ns } else { self.median_ns };
        let above = |bound: Option<f64>| bound.is_some_and(|bound| nanos > bound);
        let missed = [
            ("aim", self.aim_ratio.is_some_and(|aim| self.ratio > aim) || above(self.aim_ns)),
            ("target", above(self.target_ns)),
            ("expected", above(self.expectation_ns)),
            ("reference", above(self.reference_ns)),
        ];
        missed.iter().filter(|(_, is)| *is).map(|(what, _)| (*what).to_owned()).collect()
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let optional = |nanos: Option<f64>| nanos.map_or("-".to_owned(), time);
        let ratio = |ratio: f64| format!("{ratio:.2}");
        let aim = match (self.aim_ratio, self.aim_ns) {
            (Some(aim), _) => ratio(aim),
            (_, aim) => optional(aim),
        };
        [
            self.operation.clone(),
            self.backend.clone(),
            time(self.median_ns),
            time(self.p99_ns),
            self.baseline.clone(),
            time(self.baseline_ns),
            ratio(self.ratio),
            ratio(self.ratio_of_rounds),
            time(self.difference_ns),
            self.ratio_raw.map_or("-".to_owned(), ratio),
            aim,
            optional(self.target_ns),
            optional(self.expectation_ns),
            optional(self.reference_ns),
            if self.missed.is_empty() { "-".to_owned() } else { self.missed.join(", ") },
        ]
    }
}

const COLUMNS: [&str; 15] = [
    "operation",
    "backend",
    "median",
    "p99",
    "baseline",
    "its median",
    "ratio",
    "rounds",
    "difference",
    "raw",
    "aim",
    "target",
    "expected",
    "reference",
    "missed",
];

/// The rows as text, aligned, with a heading.
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<_> = rows.iter().map(|row| row.cells().to_vec()).collect();
    aligned(&COLUMNS, &lines)
}

/// The rows as a table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let lines: Vec<_> = rows.iter().map(|row| row.cells().to_vec()).collect();
    markdown_table(&COLUMNS, &lines)
}

/// Cells as text: the first column to the left, the others to the right.
pub(crate) fn aligned(heading: &[&str], lines: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
    let lines: Vec<&Vec<String>> = [&heading].into_iter().chain(lines).collect();
    let width = |column: usize| {
        lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let aligned = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        aligned.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.into_iter().map(line).collect()
}

/// The same in Markdown.
pub(crate) fn markdown_table(heading: &[&str], lines: &[Vec<String>]) -> String {
    let rule = format!("|---|{}", "--:|".repeat(heading.len() - 1));
    let lines = lines.iter().map(|cells| format!("| {} |", cells.join(" | ")));
    let heading = format!("| {} |", heading.join(" | "));
    [heading, rule].into_iter().chain(lines).map(|line| line + "\n").collect()
}

/// A time with three digits.
pub(crate) fn time(nanos: f64) -> String {
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

    #[test]
    fn columns_are_aligned() {
        let lines = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "23".to_owned()]];
        assert_eq!(aligned(&["x", "y"], &lines), "x     y\na     1\nbcd  23\n");
        assert_eq!(markdown_table(&["x", "y"], &lines[..1]), "| x | y |\n|---|--:|\n| a | 1 |\n");
    }
}
