//! Writing figures as JSON.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::Result;

/// The option `--json`, for a suite that writes its figures to a file as well.
#[derive(Debug, Args)]
pub struct Json {
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Json {
    /// Writes figures, if a file is named.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, figures: &impl Serialize) -> Result<()> {
        if let Some(path) = &self.json {
            fs::write(path, serde_json::to_string_pretty(figures)? + "\n")?;
        }
        Ok(())
    }
}
