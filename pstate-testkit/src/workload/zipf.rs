/// A Zipf distribution over documents: draws document `n` in proportion to `1 / (n + 1)`, so that
/// a few documents are hot and most are cold.
#[derive(Debug, Clone)]
pub struct Zipf {
    /// The cumulative weights.
    sums: Vec<f64>,
}

impl Zipf {
    /// A distribution over this number of documents, at least one.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn new(documents: usize) -> Self {
        let weights = (1..=documents.max(1)).map(|rank| 1.0 / rank as f64);
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Draws the index of a document, from 0.
    pub fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let last = self.sums.len() - 1;
        let drawn = random.f64() * self.sums[last];
        self.sums.partition_point(|sum| *sum < drawn).min(last)
    }
}
