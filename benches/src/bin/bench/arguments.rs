//! Choosing a suite.

use clap::{Parser, Subcommand};
use pstate_benches::Result;

#[cfg(feature = "moving")]
use crate::moving;
#[cfg(feature = "sqlite")]
use crate::{cache, concurrent, staleness, starts, sweep};
use crate::{compare, hits};

/// Measures PState, and prints the figures as a table.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    bin_name = "cargo xtask bench",
    after_help = "Without a suite it runs `compare`, with the options above. \
                  `cargo xtask bench SUITE --help` lists the options of a suite.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_help_heading = "Suites",
    subcommand_value_name = "SUITE"
)]
struct Arguments {
    #[command(subcommand)]
    suite: Option<Command>,
    #[command(flatten)]
    compare: compare::Compare,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The three next suites, on each backend
    Compare(compare::Compare),
    /// Each operation beside the same work by hand
    Operations(compare::Operations),
    /// What grows with the number of documents
    Scale(compare::Scale),
    /// What many tasks do at once, and how late timers are meanwhile
    Throughput(compare::Throughput),
    /// A sweep of a large store: beside users, and killed half-way
    #[cfg(feature = "sqlite")]
    Sweep(sweep::Arguments),
    /// How much memory cached documents take, and whether the cache keeps to its bound
    #[cfg(feature = "sqlite")]
    Cache(cache::Arguments),
    /// Reads of cached documents beside the cache crate itself
    Hits(hits::Arguments),
    /// The same documents read by a preload, and one by one in several ways
    #[cfg(feature = "sqlite")]
    Concurrent(concurrent::Arguments),
    /// How long a process reads what another one has overwritten
    #[cfg(feature = "sqlite")]
    Staleness(staleness::Arguments),
    /// The same reads in many processes: how much their speed differs from start to start
    #[cfg(feature = "sqlite")]
    Starts(starts::Arguments),
    /// Copies from store to store and back, each killed half-way and resumed
    #[cfg(feature = "moving")]
    Moving(moving::Arguments),
}

/// Runs the suite that the arguments choose.
pub(crate) fn run() -> Result<()> {
    let Arguments { suite, compare } = Arguments::parse();
    match suite.unwrap_or(Command::Compare(compare)) {
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Operations(arguments) => compare::operations(&arguments),
        Command::Scale(arguments) => compare::scale(&arguments),
        Command::Throughput(arguments) => compare::throughput(&arguments),
        #[cfg(feature = "sqlite")]
        Command::Sweep(arguments) => sweep::run(arguments),
        #[cfg(feature = "sqlite")]
        Command::Cache(arguments) => cache::run(&arguments),
        Command::Hits(arguments) => hits::run(&arguments),
        #[cfg(feature = "sqlite")]
        Command::Concurrent(arguments) => concurrent::run(&arguments),
        #[cfg(feature = "sqlite")]
        Command::Staleness(arguments) => staleness::run(&arguments),
        #[cfg(feature = "sqlite")]
        Command::Starts(arguments) => starts::run(&arguments),
        #[cfg(feature = "moving")]
        Command::Moving(arguments) => moving::run(&arguments),
    }
}
