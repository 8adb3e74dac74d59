//! `compare`, and its three parts as suites of their own.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pstate_benches::operations::{self, Effort};
use pstate_benches::{
    BackendName, Columns, Json, Machine, Result, Results, draw, grown_runtime, save, scale,
    throughput,
};

use crate::child::Child;

/// What the suites of this file share.
#[derive(Debug, Args)]
struct Options {
    /// Measure for seconds instead of minutes.
    #[arg(long)]
    quick: bool,
    /// Measure for longer, and 1,000,000 and 3,000,000 documents as well.
    #[arg(long, conflicts_with = "quick")]
    long: bool,
    /// Only on this backend: sqlite, redis, sled or memory; may be given several times.
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    backend: Vec<BackendName>,
    #[command(flatten)]
    json: Json,
    /// Also draw the figures into this directory, as SVG.
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Measure nothing; show saved figures.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "long", "backend"])]
    from: Option<PathBuf>,
}

/// What the suites with operations share.
#[derive(Debug, Args)]
struct OperationOptions {
    /// Only operations whose name contains this, and nothing else.
    #[arg(long, value_name = "TEXT", conflicts_with = "from")]
    only: Option<String>,
    /// Show all columns of the table of operations.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    operations: OperationOptions,
    /// Save the figures in benches/results, with plots, and the tables in benches/README.md.
    #[arg(long, conflicts_with = "only")]
    save: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Operations {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    operations: OperationOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Scale {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    child: Child,
}

#[derive(Debug, Args)]
pub(crate) struct Throughput {
    #[command(flatten)]
    options: Options,
}

/// The parts of `compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Operations,
    Scale,
    Throughput,
}

pub(crate) fn compare(arguments: &Compare) -> Result<()> {
    let Compare { options, operations, save: is_saved } = arguments;
    let parts = match operations.only {
        Some(_) => &[Part::Operations][..],
        None => &[Part::Operations, Part::Scale, Part::Throughput],
    };
    let results = options.results(parts, operations.only.as_deref())?;
    options.show(&results, operations.columns())?;
    options.json.write(&results.operations)?;
    if *is_saved {
        written(&save(&results)?);
    }
    Ok(())
}

pub(crate) fn operations(arguments: &Operations) -> Result<()> {
    let Operations { options, operations } = arguments;
    let results = options.results(&[Part::Operations], operations.only.as_deref())?;
    options.show(&results, operations.columns())?;
    options.json.write(&results.operations)
}

pub(crate) fn scale(arguments: &Scale) -> Result<()> {
    let Scale { options, child } = arguments;
    if let Some(task) = child.task()? {
        return scale::child(&task);
    }
    let results = options.results(&[Part::Scale], None)?;
    options.show(&results, Columns::Summary)?;
    options.json.write(&results.scale)
}

pub(crate) fn throughput(arguments: &Throughput) -> Result<()> {
    let options = &arguments.options;
    let results = options.results(&[Part::Throughput], None)?;
    options.show(&results, Columns::Summary)?;
    options.json.write(&results.throughput)
}

impl OperationOptions {
    fn columns(&self) -> Columns {
        if self.full { Columns::All } else { Columns::Summary }
    }
}

impl Options {
    /// Measures the parts, or loads them.
    fn results(&self, parts: &[Part], only: Option<&str>) -> Result<Results> {
        let Some(file) = &self.from else { return self.measure(parts, only.unwrap_or_default()) };
        let mut results = Results::load(file)?;
        if !parts.contains(&Part::Operations) {
            results.operations.clear();
        }
        if !parts.contains(&Part::Scale) {
            results.scale.clear();
        }
        if !parts.contains(&Part::Throughput) {
            results.throughput.clear();
        }
        Ok(results)
    }

    fn measure(&self, parts: &[Part], only: &str) -> Result<Results> {
        let runtime = grown_runtime()?;
        let backends = match &self.backend[..] {
            [] => BackendName::all(),
            chosen => chosen,
        };
        let (effort, largest, time) = match (self.quick, self.long) {
            (true, _) => (Effort::QUICK, 10_000, Duration::from_millis(200)),
            (_, true) => (Effort::LONG, usize::MAX, Duration::from_secs(5)),
            _ => (Effort::USUAL, 380_000, Duration::from_millis(700)),
        };
        let machine = runtime.block_on(Machine::this(backends))?;
        let (mut rows, mut grown, mut together) = (Vec::new(), Vec::new(), Vec::new());
        for &backend in backends {
            if parts.contains(&Part::Operations) {
                rows.extend(operations::measure(&runtime, backend, effort, only)?);
            }
            if parts.contains(&Part::Scale) {
                for documents in scale::SIZES.into_iter().filter(|size| *size <= largest) {
                    eprintln!("{documents} documents on {}", backend.name());
                    grown.push(scale::measure(backend, documents)?);
                }
            }
            if parts.contains(&Part::Throughput) {
                eprintln!("many tasks on {}", backend.name());
                together.extend(throughput::measure(&runtime, backend, time)?);
            }
        }
        Ok(Results { machine, operations: rows, scale: grown, throughput: together })
    }

    /// Prints the tables, and draws what is to be drawn.
    fn show(&self, results: &Results, columns: Columns) -> Result<()> {
        print!("{}", results.tables(columns));
        if let Some(directory) = &self.plot {
            written(&draw(results, directory)?);
        }
        Ok(())
    }
}

fn written(paths: &[PathBuf]) {
    for path in paths {
        eprintln!("written: {}", path.display());
    }
}
