use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::dependency::Dependency;
use crate::finding::Finding;

/// The rings of files: each file of one reaches all others of it by its dependencies.
pub(super) fn check(dependencies: &[Dependency]) -> Vec<Finding> {
    let mut targets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for dependency in dependencies {
        if dependency.file != dependency.target {
            targets.entry(&dependency.file).or_default().insert(&dependency.target);
        }
    }
    rings(&targets).iter().filter_map(|ring| describe(ring, dependencies)).collect()
}

fn describe(ring: &BTreeSet<&str>, dependencies: &[Dependency]) -> Option<Finding> {
    let mut edges: BTreeMap<(&str, &str), (usize, BTreeSet<&str>)> = BTreeMap::new();
    for dependency in dependencies {
        let (from, to) = (dependency.file.as_str(), dependency.target.as_str());
        if from != to && ring.contains(from) && ring.contains(to) {
            let edge =
                edges.entry((from, to)).or_insert_with(|| (dependency.line, BTreeSet::new()));
            edge.0 = edge.0.min(dependency.line);
            edge.1.insert(&dependency.path);
        }
    }
    let ((first, _), (line, _)) = edges.first_key_value()?;
    let files: Vec<&str> = ring.iter().copied().collect();
    let mut message = format!("a ring of {} files: {}", files.len(), files.join(", "));
    for ((from, to), (line, paths)) in &edges {
        let paths: Vec<&str> = paths.iter().copied().collect();
        let _ = write!(message, "\n    {from}:{line} uses {to}: {}", paths.join(", "));
    }
    Some(Finding::new(first, *line, message))
}

/// The strongly connected components of more than one file, by Tarjan's algorithm.
fn rings<'a>(targets: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let mut search = Search { targets, seen: BTreeMap::new(), path: Vec::new(), rings: Vec::new() };
    for file in targets.keys() {
        if !search.seen.contains_key(file) {
            search.visit(file);
        }
    }
    search.rings.sort();
    search.rings
}

struct Search<'a, 't> {
    targets: &'t BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The files by the order in which they were reached; none once their component is known.
    seen: BTreeMap<&'a str, Option<usize>>,
    path: Vec<&'a str>,
    rings: Vec<BTreeSet<&'a str>>,
}

impl<'a> Search<'a, '_> {
    /// Returns the earliest file on the path that this one reaches.
    fn visit(&mut self, file: &'a str) -> usize {
        let order = self.seen.len();
        let depth = self.path.len();
        self.seen.insert(file, Some(order));
        self.path.push(file);
        let mut earliest = order;
        for target in self.targets.get(file).into_iter().flatten() {
            earliest = earliest.min(match self.seen.get(target) {
                Some(Some(order)) => *order,
                Some(None) => continue,
                None => self.visit(target),
            });
        }
        if earliest == order {
            let component = self.path.split_off(depth);
            for file in &component {
                self.seen.insert(file, None);
            }
            if component.len() > 1 {
                self.rings.push(component.into_iter().collect());
            }
        }
        earliest
    }
}
