use crate::finding::Finding;
use crate::layers::{self, Package, Table, check_block, with_block};
use crate::sources::Sources;
use crate::text;

/// The document that lists the layers.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// What all checks find.
#[derive(Debug)]
pub struct Report {
    /// What breaks a rule, sorted by place.
    pub findings: Vec<Finding>,
    /// The table of layers as text: what may depend on what, and what does.
    pub listing: String,
    /// What breaks a rule that is not enforced yet, one line for each part of the workspace.
    pub tolerated: Vec<String>,
    /// `ARCHITECTURE.md` with this listing, if it has another one.
    pub document: Option<String>,
}

/// Holds the sources to the table.
pub fn check(table: &Table, packages: &[Package], sources: &Sources) -> Report {
    let layers = layers::read(table, packages, sources);
    let texts = text::check(table.texts, sources);
    let mut findings = layers.findings;
    findings.extend(texts.findings);
    let document = sources.text(DOCUMENT).unwrap_or_default();
    findings.extend(check_block(DOCUMENT, document, &layers.listing));
    findings.sort();
    findings.dedup();
    let tolerated = texts.tolerated.into_iter().filter_map(|(path, count)| {
        let path = if path.is_empty() { "(root)" } else { path };
        (count.columns + count.words > 0)
            .then(|| format!("{path:29}columns {:4}, words {:4}", count.columns, count.words))
    });
    Report {
        findings,
        tolerated: tolerated.collect(),
        document: with_block(document, &layers.listing).filter(|updated| updated != document),
        listing: layers.listing,
    }
}
