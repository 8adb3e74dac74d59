//! The targets on their seeds, and on what was found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pstate_fuzz::TARGETS;

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.expect("a readable directory").path()).collect()
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn each_target_has_seeds() {
    let named: BTreeSet<_> =
        TARGETS.iter().map(|target| directory("corpus").join(target.name)).collect();
    assert_eq!(entries(&directory("corpus")).into_iter().collect::<BTreeSet<_>>(), named);
    for seeds in named {
        assert!(!entries(&seeds).is_empty(), "{}", seeds.display());
    }
}

#[test]
fn seeds_and_findings_pass() {
    for target in TARGETS {
        for inputs in ["corpus", "findings"] {
            for input in entries(&directory(inputs).join(target.name)) {
                println!("{}", input.display());
                (target.run)(&fs::read(&input).expect("a readable input"));
            }
        }
    }
}
