//! Each side of each operation for itself, on each backend, with Criterion: to compare one version with the
//! next. How the sides relate is better seen with the binary `compare`, which interleaves them.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pstate_benches::{
    Backend, BackendName, Contest, Error, OnBackend, Operation, Result, Side, runtime,
};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// What one side of one operation took for so many samples.
async fn time<B: Backend>(
    contest: Arc<Mutex<Contest<B>>>,
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

/// All operations on a backend.
struct Compare<'a> {
    criterion: &'a mut Criterion,
    runtime: &'a Runtime,
}

impl OnBackend for Compare<'_> {
    type Output = ();

    fn run<B: Backend>(self, backend: BackendName) {
        let contest = Arc::new(Mutex::new(Contest::<B>::default()));
        for operation in Operation::ALL {
            if !operation.is_measured(backend, false) {
                continue;
            }
            let name = format!("{}/{}", backend.name(), operation.name());
            let mut group = self.criterion.benchmark_group(name);
            for &side in operation.sides() {
                let name = match side {
                    Side::Ours => "pstate",
                    Side::ByHand => "by_hand",
                    Side::Raw => "raw",
                    Side::Plain => "plain",
                    Side::Cache => "cache_crate",
                };
                group.bench_function(name, |bencher| {
                    bencher.iter_custom(|samples| {
                        let work = time(contest.clone(), operation, side, samples);
                        let done = self.runtime.block_on(self.runtime.spawn(work));
                        done.map_err(Error::from).flatten().expect("the benchmark's store works")
                    });
                });
            }
            group.finish();
        }
    }
}

fn operations(criterion: &mut Criterion) {
    let runtime = runtime().expect("two threads");
    for &backend in BackendName::all() {
        backend.run(Compare { criterion, runtime: &runtime });
    }
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
    targets = operations
}
criterion_main!(benches);
