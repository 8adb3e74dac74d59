//! Measuring all contenders of an operation, interleaved.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::Result;
use crate::backend::{Backend, BackendName, OnBackend};
use crate::measure::{Measured, rotation};

use super::effort::Effort;
use super::operation::Operation;
use super::row::Row;
use super::suite::Suite;

/// Measures the operations whose names contain `only` on a backend.
///
/// # Errors
/// What the store and PState report.
pub fn measure(
    runtime: &Runtime,
    backend: BackendName,
    effort: Effort,
    only: &str,
) -> Result<Vec<Row>> {
    let only = only.to_owned();
    backend.run(Operations { runtime, effort, only })
}

struct Operations<'a> {
    runtime: &'a Runtime,
    effort: Effort,
    only: String,
}

impl OnBackend for Operations<'_> {
    type Output = Result<Vec<Row>>;

    fn run<B: Backend>(self, backend: BackendName) -> Result<Vec<Row>> {
        let Self { runtime, effort, only } = self;
        // In a task, as in a server: the runtime wakes a future that the main thread blocks on in
        // another way.
        runtime.block_on(runtime.spawn(async move {
            let mut suite = Suite::<B>::new(backend);
            let mut rows = Vec::new();
            for operation in Operation::ALL {
                if !operation.is_measured(backend, effort == Effort::LONG)
                    || !operation.name().contains(&only)
                {
                    continue;
                }
                eprintln!("{} on {}", operation.name(), backend.name());
                let measured = rounds(&mut suite, operation, backend, effort).await?;
                rows.push(Row::new(operation, backend, &measured));
            }
            Ok(rows)
        }))?
    }
}

/// Lets all contenders run an operation in turns. What each of them took, in the order of
/// [`Operation::contenders`].
async fn rounds<B: Backend>(
    suite: &mut Suite<B>,
    operation: Operation,
    backend: BackendName,
    effort: Effort,
) -> Result<Vec<Measured>> {
    let contenders = operation.contenders(backend);
    let mut measured = vec![Measured::default(); contenders.len()];
    let mut begin = Instant::now();
    for round in 0..Effort::WARM_UP + effort.most_rounds {
        // The rounds before may have created the stores.
        if round == Effort::WARM_UP {
            begin = Instant::now();
        }
        if begin.elapsed() > effort.time && round >= Effort::WARM_UP + effort.least_rounds {
            break;
        }
        for contender in rotation(round, contenders.len()) {
            let samples = suite.run_once(operation, contenders[contender], round).await?;
            if round >= Effort::WARM_UP {
                measured[contender].add(samples);
            }
        }
    }
    Ok(measured.into_iter().map(Measured::finish).collect())
}
