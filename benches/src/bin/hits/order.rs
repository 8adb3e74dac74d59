//! The order in which documents are read.

use fastrand::Rng;
use pstate_testkit::workload::Zipf;

/// How many reads a mix has before it repeats.
const MIXED: usize = 1_000_000;

/// Each document once.
pub(crate) fn shuffled(documents: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(documents).unwrap_or(u32::MAX)).collect();
    Rng::with_seed(7).shuffle(&mut order);
    order
}

/// Few documents often and most rarely, with an exponent of 1, in no particular order.
pub(crate) fn zipf(documents: usize) -> Vec<u32> {
    let mut random = Rng::with_seed(11);
    let by_rank = shuffled(documents);
    let zipf = Zipf::new(documents);
    (0..MIXED).map(|_| by_rank[zipf.draw(&mut random)]).collect()
}
