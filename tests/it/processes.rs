//! Several processes on one SQLite file, each a child of this test binary.

mod child;
mod copy;
mod counting;
mod kill;
mod rolling_deploy;
mod staleness;
mod sweep;
