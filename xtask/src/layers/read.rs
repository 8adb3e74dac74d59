use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::dependency::{Dependency, dependencies};
use super::listing;
use super::package::Package;
use super::rules::{Crate, Table};
use super::syntax::Syntax;
use super::tree::Tree;
use super::{crates, rings, rooms, roots};
use crate::finding::Finding;
use crate::sources::Sources;

/// What the check of the layers finds.
#[derive(Debug)]
pub struct Layers {
    /// What breaks a rule.
    pub findings: Vec<Finding>,
    /// The table of layers as text: what may depend on what, and what does.
    pub listing: String,
}

/// Reads the packages' sources and holds them to the table.
pub fn read(table: &Table, packages: &[Package], sources: &Sources) -> Layers {
    let (files, mut findings) = parse(packages, sources);
    findings.extend(crates::check(table, packages, sources));
    let mut listing = listing::crates(table, packages);
    for (_, entry) in table.crates() {
        let Some(package) = packages.iter().find(|package| package.name == entry.name) else {
            continue;
        };
        let imported = check(entry, package, &files, &mut findings);
        if !entry.rooms.is_empty() {
            listing += "\n";
            listing += &listing::rooms(entry, &imported);
        }
    }
    Layers { findings, listing }
}

/// Checks one package, and returns what its rooms import.
fn check(
    entry: &Crate,
    package: &Package,
    files: &BTreeMap<String, Syntax>,
    findings: &mut Vec<Finding>,
) -> Vec<Dependency> {
    let has_library = package.targets.iter().any(|target| target.library);
    let mut reached = BTreeSet::new();
    let mut of_rooms = Vec::new();
    for target in &package.targets {
        let tree = Tree::of(target, files);
        let dependencies = dependencies(&tree);
        findings.extend(tree.findings.iter().cloned());
        findings.extend(rings::check(&dependencies));
        if entry.bare_roots {
            findings.extend(roots::check(&tree));
        }
        if !entry.rooms.is_empty() && target.library == has_library {
            findings.extend(rooms::check(entry, &tree, &dependencies));
            of_rooms = dependencies;
        }
        reached.extend(tree.files);
    }
    let inside = package.path("src/");
    for file in files.keys().filter(|file| file.starts_with(&inside) && !reached.contains(*file)) {
        findings.push(Finding::new(file, 1, "no module of its crate has this file"));
    }
    of_rooms
}

/// Parses the packages' files, on all processors: a debug build of `syn` takes its time.
fn parse(packages: &[Package], sources: &Sources) -> (BTreeMap<String, Syntax>, Vec<Finding>) {
    let ours = |path: &str| {
        packages.iter().any(|package| {
            path.starts_with(&package.path("src/"))
                || package.targets.iter().any(|target| target.root == path)
        })
    };
    let texts: Vec<(&str, &str)> = sources.texts("rs").filter(|(path, _)| ours(path)).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut files = BTreeMap::new();
    let mut findings = Vec::new();
    thread::scope(|scope| {
        let texts = &texts;
        let work = |worker: usize| {
            let share = texts.iter().skip(worker).step_by(workers);
            share.map(|(path, text)| (*path, Syntax::parse(text))).collect::<Vec<_>>()
        };
        let workers = (0..workers).map(|worker| scope.spawn(move || work(worker)));
        for worker in workers.collect::<Vec<_>>() {
            for (path, parsed) in worker.join().expect("parsing does not panic") {
                match parsed {
                    Ok(syntax) => {
                        files.insert(path.to_owned(), syntax);
                    }
                    Err((line, why)) => findings.push(Finding::new(path, line, why)),
                }
            }
        }
    });
    (files, findings)
}
