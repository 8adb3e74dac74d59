use std::collections::BTreeSet;

use super::crates;
use super::dependency::Dependency;
use super::package::Package;
use super::rules::{Crate, Table};

/// What the crates may depend on, and what they do.
pub(super) fn crates(table: &Table, packages: &[Package]) -> String {
    let mut rows = vec![["crate", "may depend on", "depends on", "tests only"].map(str::to_owned)];
    let mut below = Vec::new();
    for tier in table.tiers {
        for entry in *tier {
            let package = packages.iter().find(|package| package.name == entry.name);
            let of_package = package.into_iter().flat_map(|package| &package.dependencies);
            let depends_on = |dev: bool| {
                let names = of_package.clone().filter(|dependency| dependency.dev == dev);
                names.map(|dependency| dependency.name.as_str()).collect::<BTreeSet<_>>()
            };
            let all: Vec<&str> = table.crates().map(|(_, other)| other.name).collect();
            let may = crates::allowed(table, entry.name, false);
            let (normal, dev) = (depends_on(false), depends_on(true));
            rows.push([
                entry.name.to_owned(),
                names(&may, &below),
                names(&in_order(&all, &normal), &below),
                in_order(&all, &dev).join(", "),
            ]);
        }
        below.extend(tier.iter().map(|entry| entry.name));
    }
    columns(&rows)
}

/// What the rooms of a crate may import, and what they do.
pub(super) fn rooms(entry: &Crate, dependencies: &[Dependency]) -> String {
    let mut rows = vec![[entry.name, "may import", "imports"].map(str::to_owned)];
    let mut above = Vec::new();
    for room in entry.rooms {
        let of_room = dependencies.iter().filter(|found| found.room.as_deref() == Some(room.name));
        let imported: BTreeSet<&str> = of_room
            .filter_map(|found| found.target_room.as_deref())
            .filter(|target| *target != room.name)
            .collect();
        let all: Vec<&str> = entry.rooms.iter().map(|room| room.name).collect();
        rows.push([
            room.name.to_owned(),
            names(&entry.allowed(room.name), &above),
            names(&in_order(&all, &imported), &above),
        ]);
        above.push(room.name);
    }
    columns(&rows)
}

fn in_order<'a>(all: &[&'a str], chosen: &BTreeSet<&str>) -> Vec<&'a str> {
    all.iter().copied().filter(|name| chosen.contains(name)).collect()
}

/// The names, or what they have in common with all above, whichever is shorter.
fn names(chosen: &[&str], above: &[&str]) -> String {
    let listed = chosen.join(", ");
    if chosen.len() < 2 || !chosen.iter().all(|name| above.contains(name)) {
        return listed;
    }
    let missing: Vec<&str> = above.iter().copied().filter(|name| !chosen.contains(name)).collect();
    let short = match missing.as_slice() {
        [] => "all above".to_owned(),
        missing => format!("all above but {}", missing.join(", ")),
    };
    if short.len() < listed.len() { short } else { listed }
}

/// The rows as text, each column as wide as its widest cell.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
        text += cells.collect::<String>().trim_end();
        text.push('\n');
    }
    text
}
