//! What a run has measured.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::operations::{self, Row};
use crate::{Result, scale, throughput};

use super::machine::Machine;

/// What a run has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Where, when, and with what.
    pub machine: Machine,
    /// Each operation on each backend.
    pub operations: Vec<Row>,
    /// What grows with the number of documents, by backend and size.
    pub scale: Vec<scale::Figures>,
    /// What many tasks do at once.
    #[serde(rename = "concurrency")]
    pub throughput: Vec<throughput::Figures>,
}

/// Which columns tables of operations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// The operation, PState, by hand, the ratio, and the target.
    Summary,
    /// All of them.
    All,
}

impl Results {
    /// Reads [saved](super::save()) results.
    ///
    /// # Errors
    /// If the file holds something else.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// All tables as text.
    pub fn tables(&self, columns: Columns) -> String {
        let mut parts = Vec::new();
        match columns {
            Columns::Summary => parts.extend(self.operations_by_backend().map(|rows| {
                let backend = &rows[0].backend;
                format!("{backend}\n{}", operations::summary(rows).text())
            })),
            Columns::All if self.operations.is_empty() => {}
            Columns::All => parts.push(operations::full(&self.operations).text()),
        }
        parts.extend(self.scale_by_backend().map(|figures| scale::table(figures).text()));
        if !self.throughput.is_empty() {
            parts.push(throughput::table(&self.throughput).text());
        }
        parts.join("\n")
    }

    pub(super) fn operations_by_backend(&self) -> impl Iterator<Item = &[Row]> {
        self.operations.chunk_by(|one, next| one.backend == next.backend)
    }

    pub(super) fn scale_by_backend(&self) -> impl Iterator<Item = &[scale::Figures]> {
        self.scale.chunk_by(|one, next| one.backend == next.backend)
    }
}
