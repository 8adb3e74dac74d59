//! Saving results, with plots, and their tables in the README.

use std::fs;
use std::path::{Path, PathBuf};

use crate::operations::{self, REFERENCE};
use crate::{Result, scale, throughput};

use super::plot::draw;
use super::readme;
use super::results::Results;

/// The tables stand between these lines of `benches/README.md`.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --save` -->";
const END: &str = "<!-- end of figures -->";

/// Writes results to a file in `benches/results/` named after date and machine, the plots beside
/// it, and the tables into `benches/README.md` and the project's `README.md`. Returns the written
/// files.
///
/// # Errors
/// If they cannot be written.
pub fn save(results: &Results) -> Result<Vec<PathBuf>> {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = benches.join("results");
    fs::create_dir_all(&directory)?;
    let file = directory.join(results.machine.file_name() + ".json");
    fs::write(&file, serde_json::to_string_pretty(results)? + "\n")?;
    let plots = draw(results, &directory)?;
    let details = benches.join("README.md");
    insert(&details, &markdown(results, &plots))?;
    let mut written = vec![file, details];
    if let Some(table) = readme::table(&results.operations) {
        let readme = benches.join("../README.md");
        insert(&readme, &format!("{table}\n<sub>{}.</sub>\n", results.machine.describe()))?;
        written.push(readme);
    }
    written.extend(plots);
    Ok(written)
}

/// Replaces what a text has between the two lines.
fn insert(path: &Path, figures: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let missing = || format!("{} has no place for figures", path.display());
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(fs::write(path, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?)
}

fn markdown(results: &Results, plots: &[PathBuf]) -> String {
    let mut parts = vec![format!("<sub>{}.</sub>\n", results.machine.describe())];
    for plot in plots {
        let name = plot.file_stem().unwrap_or_default().to_string_lossy();
        parts.push(format!("![{}](results/{name}.svg)\n", name.replace('-', " ")));
    }
    for rows in results.operations_by_backend() {
        let table = operations::summary(rows).markdown();
        parts.push(format!("### Operations on {}\n\n{table}", rows[0].backend));
    }
    if !results.operations.is_empty() {
        let table = operations::full(&results.operations).markdown();
        parts.push(format!(
            "<details>\n<summary>All columns</summary>\n\n{table}\n\
             <sub>`reference`: {REFERENCE}.</sub>\n\n</details>\n"
        ));
    }
    let growth: Vec<String> =
        results.scale_by_backend().map(|figures| scale::table(figures).markdown()).collect();
    if !growth.is_empty() {
        parts.push(format!("### Growth with the number of documents\n\n{}", growth.join("\n")));
    }
    if !results.throughput.is_empty() {
        let table = throughput::table(&results.throughput).markdown();
        parts.push(format!("### Throughput by tasks\n\n{table}"));
    }
    parts.join("\n")
}
