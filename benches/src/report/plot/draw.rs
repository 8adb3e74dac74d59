//! The plots of a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::report::results::Results;

use super::facets::{growth, throughput};
use super::latency::latency;

/// Draws the measured ones of latency by backend, growth by size and throughput by tasks.
/// Returns the written files.
///
/// # Errors
/// If they cannot be written.
pub fn draw(results: &Results, directory: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(directory)?;
    let mut written = Vec::new();
    let mut write = |name: &str, svg: Option<String>| -> Result<()> {
        if let Some(svg) = svg {
            let path = directory.join(name);
            fs::write(&path, svg)?;
            written.push(path);
        }
        Ok(())
    };
    write("latency-by-backend.svg", latency(&results.operations))?;
    write("growth-by-size.svg", growth(&results.scale))?;
    write("throughput-by-tasks.svg", throughput(&results.throughput))?;
    Ok(written)
}
