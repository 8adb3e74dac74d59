//! The code in the guide to adapters is that of the example adapter.

use std::fs;
use std::path::Path;

#[test]
fn the_guides_code_is_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guide = fs::read_to_string(root.join("docs/write-your-own-adapter.md"));
    let guide = guide.unwrap_or_default();
    let example = root.join("examples/third_party_adapter");
    let mut sources = String::new();
    for directory in ["src", "tests", "examples"] {
        for entry in fs::read_dir(example.join(directory)).into_iter().flatten().flatten() {
            sources += &fs::read_to_string(entry.path()).unwrap_or_default();
        }
    }
    let blocks: Vec<_> = guide.split("```rust\n").skip(1).collect();
    for block in &blocks {
        let code = block.split("```").next().unwrap_or_default();
        assert!(sources.contains(code), "not in the example:\n{code}");
    }
    assert!(blocks.len() > 15, "{} blocks", blocks.len());
}
