//! Reads through a cache that does not hold everything.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::time::Instant;

use pstate_benches::measure::nanos_since;
use pstate_benches::{Result, grown_runtime};

use crate::cached::{Cached, READS};
use crate::contender::Contender;
use crate::figures::{Figures, report};
use crate::order::zipf;
use crate::rounds::{measure, side_by_side};

/// The hit rate of a cache of the right size.
const HIT_RATE: f64 = 0.9;

/// Reads of few documents often and of most rarely, of which one in ten misses.
pub(crate) fn zipf_mix(documents: usize, rounds: usize, all: &mut Vec<Figures>) -> Result<()> {
    let runtime = grown_runtime()?;
    let order = zipf(documents);
    // Searches for the bound with this hit rate.
    let (mut low, mut high) = (1_u64 << 20, 1_u64 << 30);
    let mut found = None;
    for _ in 0..6 {
        let bound = u64::midpoint(low, high);
        let cached = runtime.block_on(Cached::new(documents, order.clone(), bound, 1))?;
        runtime.block_on(read_all(&cached))?;
        let before = cached.pstate.stats().cache;
        runtime.block_on(read_all(&cached))?;
        let after = cached.pstate.stats();
        let hits = (after.cache.hits - before.hits) as f64;
        let rate = hits / (hits + (after.cache.misses - before.misses) as f64);
        found = Some((bound, rate, after.cache_entries));
        if (rate - HIT_RATE).abs() < 0.01 {
            break;
        }
        if rate < HIT_RATE {
            low = bound;
        } else {
            high = bound;
        }
    }
    let Some((bound, rate, room)) = found else { return Ok(()) };
    println!("zipf: {bound} bytes, {room} documents, hit rate {rate:.3}");
    let cached = runtime.block_on(Cached::new(documents, order, bound, room))?;
    let contenders = [Contender::Bare, Contender::Key];
    for threads in [1, 2] {
        let measured = measure(&contenders, rounds, |contender, round| {
            side_by_side(threads, async |thread| {
                let from = (round * 2 + thread) * READS % cached.order.len();
                let order = cached.order.iter().cycle().skip(from).take(READS);
                let begin = Instant::now();
                for &at in order {
                    match contender {
                        Contender::Bare => cached.read_through(at as usize).await?,
                        contender => cached.read_one(contender, at as usize).await?,
                    }
                }
                Ok(nanos_since(begin) / READS as f64)
            })
        })?;
        report("zipf, 10% misses", documents, threads, &contenders, &measured, all);
    }
    Ok(())
}

async fn read_all(cached: &Cached) -> Result<()> {
    for &at in &cached.order {
        cached.read_one(Contender::Key, at as usize).await?;
    }
    Ok(())
}
