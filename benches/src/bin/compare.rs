//! Compares PState with the same work done by hand, interleaved in one run; measures what grows with the
//! number of documents, and what many tasks do at once.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use pstate_benches::{
    Backend, BackendName, Contest, Effort, Machine, OnBackend, Operation, Result, Results, Row,
    concurrency, draw, measure, runtime, scale,
};
use tokio::runtime::Runtime;

/// Compares PState with the same work done by hand with each backend's own crate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// Measure for seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Measure everything, and for longer.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only on this backend; may be given several times.
    #[arg(long, value_name = "NAME")]
    backend: Vec<BackendName>,
    /// Only this; may be given several times.
    #[arg(long, value_name = "NAME")]
    suite: Vec<Suite>,
    /// Only operations whose name contains this, and nothing else.
    #[arg(long, value_name = "TEXT", conflicts_with = "suite")]
    only: Option<String>,
    /// Also write the figures of the operations to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also draw the figures into this directory, as SVG.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Keep the figures in benches/results, with plots, and put the tables into benches/README.md.
    #[arg(long)]
    save: bool,
    /// Measure nothing; show figures that were kept.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "full", "only", "suite"])]
    from: Option<PathBuf>,
    /// What this process is to do, if it was started by another one.
    #[arg(long, hide = true, requires = "backend")]
    scale: Option<usize>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Each operation beside the same work by hand.
    Operations,
    /// What grows with the number of documents.
    Scale,
    /// What many tasks do at once.
    Concurrency,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(documents), Some(&backend)) = (arguments.scale, arguments.backend.first()) {
        return scale::child(backend, documents);
    }
    let runtime = runtime()?;
    let results = match &arguments.from {
        Some(file) => Results::load(file)?,
        None => run(&arguments, &runtime)?,
    };
    print!("{}", results.tables());
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&results.operations)? + "\n")?;
    }
    let mut written = Vec::new();
    if let Some(directory) = arguments.plot {
        written.extend(draw(&results, &directory)?);
    }
    if arguments.save {
        written.extend(results.save()?);
    }
    for path in written {
        eprintln!("written: {}", path.display());
    }
    Ok(())
}

fn run(arguments: &Arguments, runtime: &Runtime) -> Result<Results> {
    let backends = match &arguments.backend[..] {
        [] => BackendName::all(),
        chosen => chosen,
    };
    let (effort, largest, time) = match (arguments.quick, arguments.full) {
        (true, _) => (Effort::QUICK, 10_000, Duration::from_millis(200)),
        (_, true) => (Effort::FULL, usize::MAX, Duration::from_secs(5)),
        _ => (Effort::USUAL, 380_000, Duration::from_millis(700)),
    };
    let measures = |suite| match (&arguments.only, &arguments.suite[..]) {
        (Some(_), _) => suite == Suite::Operations,
        (None, []) => true,
        (None, chosen) => chosen.contains(&suite),
    };
    let machine = runtime.block_on(Machine::this(backends))?;
    let (mut operations, mut grown, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for &backend in backends {
        if measures(Suite::Operations) {
            let only = arguments.only.clone().unwrap_or_default();
            operations.extend(backend.run(Compare { runtime, effort, only })?);
        }
        if measures(Suite::Scale) {
            for documents in scale::SIZES.into_iter().filter(|size| *size <= largest) {
                eprintln!("{documents} documents on {}", backend.name());
                grown.push(scale::measure(backend, documents)?);
            }
        }
        if measures(Suite::Concurrency) {
            eprintln!("many tasks on {}", backend.name());
            together.extend(concurrency::measure(runtime, backend, time)?);
        }
    }
    Ok(Results { machine, operations, scale: grown, concurrency: together })
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
