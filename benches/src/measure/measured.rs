//! The samples of one contender.

use super::quantile::{median, quantile};

/// The samples of one contender, in nanoseconds.
///
/// Two runs differ by more than the effects that benchmarks look for, since machines change their
/// speed from one second to the next. So contenders take turns, and the relations within each round
/// count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// All samples, in ascending order.
    samples: Vec<f64>,
    /// The median of each round.
    rounds: Vec<f64>,
}

impl Measured {
    /// Adds the samples of a round.
    pub(crate) fn add(&mut self, mut round: Vec<f64>) {
        round.sort_unstable_by(f64::total_cmp);
        self.rounds.push(quantile(&round, 0.5));
        self.samples.append(&mut round);
    }

    /// Ends the measurement: quantiles need sorted samples.
    pub(crate) fn finish(mut self) -> Self {
        self.samples.sort_unstable_by(f64::total_cmp);
        self
    }

    /// How many rounds there were.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The median of all samples.
    pub fn median(&self) -> f64 {
        quantile(&self.samples, 0.5)
    }

    /// The 99th percentile of all samples.
    pub fn p99(&self) -> f64 {
        quantile(&self.samples, 0.99)
    }

    /// The ratio of the medians.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        self.median() / other.median()
    }

    /// The median of the rounds' ratios: a slowdown of a whole round does not change it.
    pub fn ratio_of_rounds_to(&self, other: &Self) -> f64 {
        self.median_of_rounds(other, |own, other| own / other)
    }

    /// The median of the rounds' differences.
    pub fn difference_to(&self, other: &Self) -> f64 {
        self.median_of_rounds(other, |own, other| own - other)
    }

    fn median_of_rounds(&self, other: &Self, relate: impl Fn(f64, f64) -> f64) -> f64 {
        let rounds = self.rounds.iter().zip(&other.rounds);
        median(rounds.map(|(own, other)| relate(*own, *other)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rounds: &[&[f64]]) -> Measured {
        let mut measured = Measured::default();
        for round in rounds {
            measured.add(round.to_vec());
        }
        measured.finish()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "samples are returned as they are")]
    fn quantiles_are_samples_at_the_nearest_rank() {
        let samples: Vec<f64> = (1..=200).map(f64::from).collect();
        let measured = measured(&[&samples]);
        assert_eq!((measured.median(), measured.p99()), (100.0, 198.0));
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "quotients of small whole numbers")]
    fn a_slow_spell_does_not_move_the_ratio_of_rounds() {
        let ours = measured(&[&[2.0], &[20.0], &[20.0]]);
        let theirs = measured(&[&[1.0], &[10.0], &[1.0]]);
        assert_eq!(ours.ratio_of_rounds_to(&theirs), 2.0);
        assert_eq!(ours.ratio_to(&theirs), 20.0);
    }
}
