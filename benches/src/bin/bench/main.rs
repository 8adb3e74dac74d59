//! `cargo xtask bench`: each suite of benchmarks is a subcommand, in a file of its own.

mod arguments;
#[cfg(feature = "sqlite")]
mod cache;
mod child;
mod compare;
#[cfg(feature = "sqlite")]
mod concurrent;
mod hits;
#[cfg(feature = "moving")]
mod moving;
#[cfg(feature = "sqlite")]
mod staleness;
#[cfg(feature = "sqlite")]
mod starts;
#[cfg(feature = "sqlite")]
mod sweep;

fn main() -> pstate_benches::Result<()> {
    arguments::run()
}
