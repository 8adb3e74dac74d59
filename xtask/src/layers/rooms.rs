use std::collections::BTreeMap;

use super::dependency::Dependency;
use super::rules::Crate;
use super::tree::Tree;
use crate::finding::Finding;

/// What points upwards, or past a room's own list; and where rooms and table differ.
pub(super) fn check(entry: &Crate, tree: &Tree<'_>, dependencies: &[Dependency]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(top) = tree.modules.first() else { return findings };
    for (name, child) in &top.children {
        if entry.room(name).is_none() {
            let message = format!("the table of layers has no room {name} for {}", entry.name);
            findings.push(Finding::new(&top.file, tree.modules[*child].declared, message));
        }
    }
    for room in entry.rooms {
        if !top.children.contains_key(room.name) {
            let message = format!(
                "{} has no module {}, which the table of layers lists",
                entry.name, room.name
            );
            findings.push(Finding::new(&top.file, 1, message));
        }
    }
    let mut upward: BTreeMap<(&str, usize, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for dependency in dependencies {
        let Some(room) = dependency.room.as_deref().filter(|name| entry.room(name).is_some())
        else {
            continue;
        };
        let target = dependency.target_room.as_deref();
        let is_allowed = |target| target == room || entry.allowed(room).contains(&target);
        // The import counts for it.
        if !dependency.by_import && !target.is_some_and(is_allowed) {
            let place = (dependency.file.as_str(), dependency.line, room, target);
            upward.entry(place).or_default().push(&dependency.path);
        }
    }
    for ((file, line, room, target), paths) in upward {
        let allowed = entry.allowed(room);
        let message = format!(
            "{room} may not import {} ({}); {room} may use {}",
            target.unwrap_or("the crate's root"),
            paths.join(", "),
            if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") },
        );
        findings.push(Finding::new(file, line, message));
    }
    findings
}
