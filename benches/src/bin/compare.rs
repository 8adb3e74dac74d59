//! Compares PState with the same work done by hand, interleaved in one run.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use pstate_benches::{
    Backend, BackendName, Contest, Effort, OnBackend, Operation, Result, Row, measure, runtime,
    table,
};
use tokio::runtime::Runtime;

/// Compares PState with the same work done by hand with each backend's own crate.
#[derive(Debug, Parser)]
struct Arguments {
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure for seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Measure everything, and for longer.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only operations whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Only on this backend; may be given several times.
    #[arg(long, value_name = "NAME")]
    backend: Vec<BackendName>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = runtime()?;
    let effort = match (arguments.quick, arguments.full) {
        (true, _) => Effort::QUICK,
        (_, true) => Effort::FULL,
        _ => Effort::USUAL,
    };
    let backends = match &arguments.backend[..] {
        [] => BackendName::all(),
        chosen => chosen,
    };
    let mut rows = Vec::new();
    for &backend in backends {
        let compare = Compare { runtime: &runtime, effort, only: arguments.only.clone() };
        rows.extend(backend.run(compare)?);
    }
    print!("{}", table(&rows));
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

/// All operations on a backend.
struct Compare<'a> {
    runtime: &'a Runtime,
    effort: Effort,
    only: String,
}

impl OnBackend for Compare<'_> {
    type Output = Result<Vec<Row>>;

    fn run<B: Backend>(self, backend: BackendName) -> Result<Vec<Row>> {
        let Self { runtime, effort, only } = self;
        // In a task, as in a server: a future that the main thread blocks on is woken differently.
        runtime.block_on(runtime.spawn(async move {
            let mut contest = Contest::<B>::default();
            let mut rows = Vec::new();
            for operation in Operation::ALL {
                if !operation.is_measured(backend, effort == Effort::FULL)
                    || !operation.name().contains(&only)
                {
                    continue;
                }
                eprintln!("{} on {}", operation.name(), backend.name());
                let measured = measure(&mut contest, operation, effort).await?;
                rows.push(Row::new(operation, backend, &measured));
            }
            Ok(rows)
        }))?
    }
}
