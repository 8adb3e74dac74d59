use super::package::{Dependency, Package};
use super::rules::Table;
use crate::finding::Finding;
use crate::sources::Sources;

/// Manifests that point upwards in the table of crates; and where packages and table differ.
pub(super) fn check(table: &Table, packages: &[Package], sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, entry) in table.crates() {
        if !packages.iter().any(|package| package.name == entry.name) {
            let message = format!(
                "the workspace has no package {}, which the table of layers lists",
                entry.name
            );
            findings.push(Finding::new("Cargo.toml", 1, message));
        }
    }
    for package in packages {
        let manifest = package.path("Cargo.toml");
        if table.find(&package.name).is_none() {
            let message = format!("the table of layers does not list {}", package.name);
            findings.push(Finding::new(&manifest, 1, message));
            continue;
        }
        for dependency in &package.dependencies {
            if !packages.iter().any(|other| other.name == dependency.name) {
                continue;
            }
            let allowed = allowed(table, &package.name, dependency.dev);
            if allowed.contains(&dependency.name.as_str()) {
                continue;
            }
            let message = format!(
                "{} may not depend on {}; {} may depend on {}",
                package.name,
                dependency.name,
                if dependency.dev { "its tests" } else { "it" },
                if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") },
            );
            let line = sources.text(&manifest).map_or(1, |text| line(text, dependency));
            findings.push(Finding::new(&manifest, line, message));
        }
    }
    findings
}

/// The crates that a crate may depend on; in its tests and examples if `dev`.
pub(super) fn allowed(table: &Table, name: &str, dev: bool) -> Vec<&'static str> {
    let Some((tier, entry)) = table.find(name) else { return Vec::new() };
    let below = table
        .crates()
        .filter(|(index, other)| (*index < tier || dev && *index == tier) && other.name != name);
    let allowed =
        below.filter(|(_, other)| entry.only.is_none_or(|only| only.contains(&other.name)));
    allowed.map(|(_, other)| other.name).collect()
}

/// The line of a manifest that states a dependency.
fn line(manifest: &str, dependency: &Dependency) -> usize {
    let mut in_section = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (table, of_one) = match section.rsplit_once("dependencies.") {
                Some((before, name)) => (format!("{before}dependencies"), Some(name)),
                None => (section.to_owned(), None),
            };
            in_section = if dependency.dev {
                table.ends_with("dev-dependencies")
            } else {
                table.ends_with("dependencies") && !table.ends_with("dev-dependencies")
            };
            if in_section && of_one == Some(dependency.name.as_str()) {
                return index + 1;
            }
        }
        let renamed = format!("package = \"{}\"", dependency.name);
        let rest = line.strip_prefix(dependency.name.as_str());
        let states = rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
        if in_section && (states || line.contains(&renamed)) {
            return index + 1;
        }
    }
    1
}
