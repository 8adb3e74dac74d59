//! Each side of each operation for itself, with Criterion: to compare one version with the next.
//! How the sides relate is better seen with the binary `compare`, which interleaves them.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pstate_benches::{Contest, Operation, Result, Side, runtime};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// What one side of one operation took for so many samples.
async fn time(
    contest: Arc<Mutex<Contest>>,
    operation: Operation,
    side: Side,
    samples: u64,
) -> Result<Duration> {
    let mut contest = contest.lock().await;
    let (mut left, mut nanos, mut round) = (samples, 0.0, 0);
    while left > 0 {
        let turn = contest.turn(operation, side, round).await?;
        for sample in turn.into_iter().take(usize::try_from(left)?) {
            nanos += sample;
            left -= 1;
        }
        round += 1;
    }
    Ok(Duration::from_secs_f64(nanos / 1e9))
}

fn compare(criterion: &mut Criterion, runtime: &Runtime, contest: &Arc<Mutex<Contest>>) {
    for operation in Operation::ALL {
        let mut group = criterion.benchmark_group(operation.name());
        for &side in Side::of(operation) {
            let name = match side {
                Side::Ours => "pstate",
                Side::ByHand => "by_hand",
                Side::ByHandRaw => "by_hand_raw",
                Side::Plain => "plain",
            };
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|samples| {
                    let work = time(contest.clone(), operation, side, samples);
                    let done = runtime.block_on(runtime.spawn(work));
                    done.map_err(Into::into).flatten().expect("the benchmark's own store works")
                });
            });
        }
        group.finish();
    }
}

fn sqlite(criterion: &mut Criterion) {
    let runtime = runtime().expect("two threads");
    let contest = runtime.block_on(Contest::new()).expect("a store in a temporary directory");
    compare(criterion, &runtime, &Arc::new(Mutex::new(contest)));
}

/// Setting up a cold handle takes longer than what is measured on it: few samples are enough.
fn configured() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = configured();
    targets = sqlite
}
criterion_main!(benches);
