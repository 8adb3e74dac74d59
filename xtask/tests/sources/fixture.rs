use source_checks::Sources;
use source_checks::layers::{Crate, Package, Room, Table, Target, read};

/// A crate without rooms: only rings are checked.
pub(crate) const WITHOUT_ROOMS: Table = Table { tiers: &[&[Crate::new("app")]], texts: &[] };

/// A crate with rooms, of which one has a list of its own.
pub(crate) const WITH_ROOMS: Table = Table {
    tiers: &[&[Crate::new("app").rooms(&[
        Room::new("model"),
        Room::new("cache"),
        Room::new("report").only(&["model"]),
        Room::new("handle"),
    ])]],
    texts: &[],
};

/// The package `app` in the directory `app`, with a library.
pub(crate) fn app() -> Package {
    Package {
        name: "app".to_owned(),
        directory: "app".to_owned(),
        targets: vec![Target { root: "app/src/lib.rs".to_owned(), library: true }],
        dependencies: Vec::new(),
    }
}

/// What is found in a library that consists of these files, one text for each place.
pub(crate) fn found(table: &Table, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, &str)> =
        files.iter().map(|(path, text)| (format!("app/src/{path}"), *text)).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let layers = read(table, &[app()], &Sources::of(&files));
    layers.findings.iter().map(ToString::to_string).collect()
}

/// Compares all that is found with what is expected.
#[track_caller]
pub(crate) fn assert_found(found: &[String], expected: &[&str]) {
    assert_eq!(found, expected);
}
