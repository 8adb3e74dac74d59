//! Measuring sides against each other.
//!
//! Figures of two runs differ by more than what is looked for, since machines change their speed
//! from one second to the next. So the sides take turns, and what counts is how they relate in the
//! same round.

use std::time::{Duration, Instant};

use crate::Result;
use crate::backend::Backend;
use crate::contest::Contest;
use crate::operation::Operation;

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// For how long an operation is measured on a backend.
    pub time: Duration,
    /// Rounds of turns that count at least, however long they take.
    pub least_rounds: usize,
    /// And at most.
    pub most_rounds: usize,
}

impl Effort {
    /// For figures to be relied on.
    pub const FULL: Self =
        Self { time: Duration::from_secs(8), least_rounds: 40, most_rounds: 400 };
    /// Everything that is usually measured, in minutes.
    pub const USUAL: Self =
        Self { time: Duration::from_millis(1_500), least_rounds: 20, most_rounds: 200 };
    /// For a first look.
    pub const QUICK: Self =
        Self { time: Duration::from_millis(250), least_rounds: 5, most_rounds: 40 };

    /// Rounds before those that count.
    const WARM_UP: usize = 3;
}

/// What was measured of one side, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// All samples, in ascending order.
    samples: Vec<f64>,
    /// The median of each round.
    rounds: Vec<f64>,
}

impl Measured {
    fn add(&mut self, mut round: Vec<f64>) {
        round.sort_unstable_by(f64::total_cmp);
        self.rounds.push(quantile(&round, 0.5));
        self.samples.append(&mut round);
    }

    fn finish(mut self) -> Self {
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

    /// What 99 of 100 samples stay below.
    pub fn p99(&self) -> f64 {
        quantile(&self.samples, 0.99)
    }

    /// The ratio of the medians.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        self.median() / other.median()
    }

    /// The median of the rounds' ratios: what slowed down a whole round is not in it.
    pub fn ratio_of_rounds_to(&self, other: &Self) -> f64 {
        self.median_of_rounds(other, |own, other| own / other)
    }

    /// The median of the rounds' differences.
    pub fn difference_to(&self, other: &Self) -> f64 {
        self.median_of_rounds(other, |own, other| own - other)
    }

    fn median_of_rounds(&self, other: &Self, relate: impl Fn(f64, f64) -> f64) -> f64 {
        let related =
            self.rounds.iter().zip(&other.rounds).map(|(own, other)| relate(*own, *other));
        let mut related: Vec<f64> = related.collect();
        related.sort_unstable_by(f64::total_cmp);
        quantile(&related, 0.5)
    }
}

/// Lets all sides do an operation in turns. What they measured, in the order of
/// [`Operation::sides`].
///
/// # Errors
/// The first of any side.
pub async fn measure<B: Backend>(
    contest: &mut Contest<B>,
    operation: Operation,
    effort: Effort,
) -> Result<Vec<Measured>> {
    let sides = operation.sides();
    let mut measured = vec![Measured::default(); sides.len()];
    let mut begin = Instant::now();
    for round in 0..Effort::WARM_UP + effort.most_rounds {
        // The stores may have been written until now.
        if round == Effort::WARM_UP {
            begin = Instant::now();
        }
        if begin.elapsed() > effort.time && round >= Effort::WARM_UP + effort.least_rounds {
            break;
        }
        for turn in 0..sides.len() {
            // Another one begins each time, so that none always finds what the same one left.
            let side = (round + turn) % sides.len();
            let samples = contest.turn(operation, sides[side], round).await?;
            if round >= Effort::WARM_UP {
                measured[side].add(samples);
            }
        }
    }
    Ok(measured.into_iter().map(Measured::finish).collect())
}

/// The quantile of sorted samples, by the nearest rank; 0 of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a rank between 0 and a length far below 2^52"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
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
