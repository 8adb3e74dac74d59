//! Quantiles of samples.

/// The quantile of sorted samples, by the nearest rank; 0 without samples.
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

/// Several quantiles of samples in any order.
pub fn quantiles<const N: usize>(mut samples: Vec<f64>, shares: [f64; N]) -> [f64; N] {
    samples.sort_unstable_by(f64::total_cmp);
    shares.map(|share| quantile(&samples, share))
}

/// The median of samples in any order.
pub fn median(samples: Vec<f64>) -> f64 {
    let [median] = quantiles(samples, [0.5]);
    median
}
