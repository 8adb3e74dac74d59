//! Each contender of each operation by itself, on each backend, with Criterion, to compare one
//! version of PState with the next. `cargo xtask bench` shows better how contenders relate: it
//! interleaves them.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use pstate_benches::operations::{Contender, Operation, Suite};
use pstate_benches::{Backend, BackendName, Error, OnBackend, Result, grown_runtime};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// The time of one contender for a number of samples of an operation.
async fn time<B: Backend>(
    suite: Arc<Mutex<Suite<B>>>,
    operation: Operation,
    contender: Contender,
    samples: u64,
) -> Result<Duration> {
    let mut suite = suite.lock().await;
    let (mut left, mut nanos, mut round) = (samples, 0.0, 0);
    while left > 0 {
        let run = suite.run_once(operation, contender, round).await?;
        for sample in run.into_iter().take(usize::try_from(left)?) {
            nanos += sample;
            left -= 1;
        }
        round += 1;
    }
    Ok(Duration::from_secs_f64(nanos / 1e9))
}

/// All operations on a backend.
struct Operations<'a> {
    criterion: &'a mut Criterion,
    runtime: &'a Runtime,
}

impl OnBackend for Operations<'_> {
    type Output = ();

    fn run<B: Backend>(self, backend: BackendName) {
        let suite = Arc::new(Mutex::new(Suite::<B>::new(backend)));
        for operation in Operation::ALL {
            if !operation.is_measured(backend, false) {
                continue;
            }
            let name = format!("{}/{}", backend.name(), operation.name());
            let mut group = self.criterion.benchmark_group(name);
            for &contender in operation.contenders(backend) {
                let name = match contender {
                    Contender::PState => "pstate",
                    Contender::Baseline => "by_hand",
                    Contender::Index => "by_index",
                    Contender::Plain => "plain",
                    Contender::Cache => "cache_crate",
                };
                group.bench_function(name, |bencher| {
                    bencher.iter_custom(|samples| {
                        let work = time(suite.clone(), operation, contender, samples);
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
    let runtime = grown_runtime().expect("two threads");
    for &backend in BackendName::all() {
        backend.run(Operations { criterion, runtime: &runtime });
    }
}

/// Few samples: preparing a cold handle takes longer than the work that is measured on it.
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
