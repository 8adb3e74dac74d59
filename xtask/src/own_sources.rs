//! The checks of our own sources, on the workspace itself.

use std::fs;
use std::path::Path;

use source_checks::layers::{Package, WORKSPACE};
use source_checks::{Report, Sources};

use crate::cargo::{Failed, metadata};

/// Shows the layers, updates their list in `ARCHITECTURE.md` if `write`, and checks the sources.
pub(crate) fn show(write: bool) -> Result<(), Failed> {
    let mut report = read()?;
    if let (true, Some(document)) = (write, &report.document) {
        let path = root().join("ARCHITECTURE.md");
        fs::write(&path, document)
            .map_err(|error| Failed(format!("{}: {error}", path.display())))?;
        report = read()?;
    }
    print!("{}", report.listing);
    judge(&report)
}

/// Checks the sources.
pub(crate) fn check() -> Result<(), Failed> {
    judge(&read()?)
}

fn read() -> Result<Report, Failed> {
    let packages = Package::from_metadata(&metadata(false)?).map_err(Failed)?;
    let sources = Sources::read(root()).map_err(|error| Failed(error.to_string()))?;
    Ok(source_checks::check(&WORKSPACE, &packages, &sources))
}

fn judge(report: &Report) -> Result<(), Failed> {
    if !report.tolerated.is_empty() {
        println!("not enforced yet, by part of the workspace:");
        report.tolerated.iter().for_each(|line| println!("    {line}"));
    }
    report.findings.iter().for_each(|finding| println!("{finding}"));
    match report.findings.len() {
        0 => Ok(()),
        count => Err(Failed(format!("{count} places break a rule of the sources"))),
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
