//! Compares PState with the same work done by hand, interleaved in one run.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use pstate_benches::{Contest, Effort, Operation, Result, Row, measure, runtime, table};

/// Compares PState with the same work done by hand with rusqlite, on the same file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure for seconds instead of a minute.
    #[arg(long)]
    quick: bool,
    /// Only operations whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let runtime = runtime()?;
    // In a task, as in a server: a future that the main thread blocks on is woken differently.
    let rows = runtime.block_on(runtime.spawn(compare(effort, arguments.only)))??;
    print!("{}", table(&rows));
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

async fn compare(effort: Effort, only: String) -> Result<Vec<Row>> {
    let mut contest = Contest::new().await?;
    let mut rows = Vec::new();
    for operation in Operation::ALL {
        if operation.name().contains(&only) {
            let measured = measure(&mut contest, operation, effort).await?;
            rows.push(Row::new(operation, &measured));
        }
    }
    Ok(rows)
}
