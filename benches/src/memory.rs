//! How much memory this process has, as Linux tells it.

use std::fs;

use crate::Result;

/// Resident now, in bytes.
pub fn resident() -> Result<u64> {
    status("VmRSS:")
}

/// The most that was resident since [`reset_peak`], in bytes.
pub fn peak() -> Result<u64> {
    status("VmHWM:")
}

/// Begins anew with what is resident now.
pub fn reset_peak() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

fn status(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()).ok_or("no such line")?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}
