//! The figures of one operation on one backend.

use serde::{Deserialize, Serialize};

use crate::backend::BackendName;
use crate::measure::Measured;

use super::operation::Operation;

/// The figures of one operation on one backend; times in nanoseconds.
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
    /// What PState is compared with: [`Operation::compared_with`].
    pub baseline: String,
    /// The median of what PState is compared with; by hand, by key.
    pub baseline_ns: f64,
    /// Its 99th percentile.
    pub baseline_p99_ns: f64,
    /// The ratio of the two medians.
    pub ratio: f64,
    /// The median of the rounds' ratios.
    pub ratio_of_rounds: f64,
    /// The median of the rounds' differences: how much longer PState takes.
    pub difference_ns: f64,
    /// The median of the work by hand with an index of parents; `None` where there is no such
    /// contender.
    #[serde(default)]
    pub index_ns: Option<f64>,
    /// The ratio of PState's median to it.
    #[serde(default)]
    pub ratio_to_index: Option<f64>,
    /// How many rounds there were.
    pub rounds: usize,
    /// `Aims::ratio`.
    pub aim_ratio: Option<f64>,
    /// [`Aims::ratio_to_index`](super::Aims::ratio_to_index).
    #[serde(default)]
    pub aim_ratio_to_index: Option<f64>,
    /// `Aims::nanos`.
    pub aim_ns: Option<f64>,
    /// [`Operation::target_ns`].
    pub target_ns: Option<f64>,
    /// [`Operation::expectation_ns`].
    pub expectation_ns: Option<f64>,
    /// [`Operation::reference_ns`].
    pub reference_ns: Option<f64>,
    /// Which of aim, target, expectation and reference PState misses.
    pub missed: Vec<String>,
}

impl Row {
    /// The row of an operation, from what its contenders took.
    ///
    /// # Panics
    /// With fewer than two contenders.
    pub(crate) fn new(operation: Operation, backend: BackendName, measured: &[Measured]) -> Self {
        let (ours, baseline) = (&measured[0], &measured[1]);
        let aims = operation.aims(backend);
        let index = measured.get(2);
        let mut row = Self {
            operation: operation.name().to_owned(),
            backend: backend.name().to_owned(),
            median_ns: ours.median(),
            p99_ns: ours.p99(),
            baseline: operation.compared_with().to_owned(),
            baseline_ns: baseline.median(),
            baseline_p99_ns: baseline.p99(),
            ratio: ours.ratio_to(baseline),
            ratio_of_rounds: ours.ratio_of_rounds_to(baseline),
            difference_ns: ours.difference_to(baseline),
            index_ns: index.map(Measured::median),
            ratio_to_index: index.map(|index| ours.ratio_to(index)),
            rounds: ours.rounds(),
            aim_ratio: aims.ratio,
            aim_ratio_to_index: aims.ratio_to_index,
            aim_ns: aims.nanos,
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
        let misses_aim = self.aim_ratio.is_some_and(|aim| self.ratio > aim)
            || self
                .ratio_to_index
                .zip(self.aim_ratio_to_index)
                .is_some_and(|(ratio, aim)| ratio > aim)
            || above(self.aim_ns);
        let missed = [
            ("aim", misses_aim),
            ("target", above(self.target_ns)),
            ("expected", above(self.expectation_ns)),
            ("reference", above(self.reference_ns)),
        ];
        missed.iter().filter(|(_, is)| *is).map(|(what, _)| (*what).to_owned()).collect()
    }
}
