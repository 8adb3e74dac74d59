//! The memory of this process, as Linux counts it.

use std::fs;

use crate::Result;

/// The resident memory, in bytes.
///
/// # Errors
/// If the system does not say.
pub fn resident() -> Result<u64> {
    status("VmRSS:")
}

/// The most resident memory since [`reset_peak`], in bytes.
///
/// # Errors
/// If the system does not say.
pub fn peak() -> Result<u64> {
    status("VmHWM:")
}

/// Resets the peak to the resident memory.
///
/// # Errors
/// If the system refuses.
pub fn reset_peak() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// A number of bytes in mebibytes, with the unit.
pub fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

fn status(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()).ok_or("no such line")?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}
