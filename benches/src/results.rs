//! Everything that was measured in a run, and keeping it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::{Result, Row, concurrency, known, plot, report, scale};

/// Between these lines of the README stand the tables.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --save` -->";
const END: &str = "<!-- end of figures -->";

/// Everything that was measured in a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Where, when, and with what.
    pub machine: Machine,
    /// Each operation on each backend.
    pub operations: Vec<Row>,
    /// What grows with the number of documents, by backend and size.
    pub scale: Vec<scale::Figures>,
    /// What many tasks do at once.
    pub concurrency: Vec<concurrency::Figures>,
}

impl Results {
    /// Reads what was [kept](Self::save).
    ///
    /// # Errors
    /// If the file has something else.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// All tables, with headings, as text.
    pub fn tables(&self) -> String {
        let mut parts = Vec::new();
        if !self.operations.is_empty() {
            parts.push(report::table(&self.operations));
        }
        for figures in self.scale_by_backend() {
            parts.push(scale::table(figures));
        }
        if !self.concurrency.is_empty() {
            parts.push(concurrency::table(&self.concurrency));
        }
        parts.join("\n")
    }

    /// Writes the figures into a file of `benches/results/` named after date and machine, the plots beside
    /// it, and the tables into `benches/README.md`. Which files were written.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(&self) -> Result<Vec<PathBuf>> {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = benches.join("results");
        fs::create_dir_all(&directory)?;
        let file = directory.join(self.machine.file_name() + ".json");
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")?;
        let plots = plot::draw(self, &directory)?;
        let readme = benches.join("README.md");
        let text = fs::read_to_string(&readme)?;
        let (before, rest) = text.split_once(BEGIN).ok_or("README.md has no place for figures")?;
        let (_, after) = rest.split_once(END).ok_or("README.md has no end of figures")?;
        let figures = self.markdown(&plots);
        fs::write(&readme, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?;
        Ok([file, readme].into_iter().chain(plots).collect())
    }

    fn markdown(&self, plots: &[PathBuf]) -> String {
        let mut parts = vec![format!("<sub>{}.</sub>\n", self.machine.describe())];
        for plot in plots {
            let name = plot.file_stem().unwrap_or_default().to_string_lossy();
            parts.push(format!("![{}](results/{name}.svg)\n", name.replace('-', " ")));
        }
        if !self.operations.is_empty() {
            let reference = known::REFERENCE;
            let table = report::markdown(&self.operations);
            parts.push(format!("{table}\n<sub>`reference`: {reference}.</sub>\n"));
        }
        parts.extend(self.scale_by_backend().map(scale::markdown));
        if !self.concurrency.is_empty() {
            parts.push(concurrency::markdown(&self.concurrency));
        }
        parts.join("\n")
    }

    fn scale_by_backend(&self) -> impl Iterator<Item = &[scale::Figures]> {
        self.scale.chunk_by(|one, next| one.backend == next.backend)
    }
}
