//! The list of layers in a document follows the table and the code.

use source_checks::Sources;
use source_checks::layers::{check_block, read, with_block};

use crate::fixture::{WITH_ROOMS, app};

const DOCUMENT: &str = "# Map\n\n<!-- layers -->\nold\n<!-- /layers -->\n\nMore.\n";

#[test]
fn rooms_are_listed_with_what_they_may_import_and_what_they_do() {
    let sources = Sources::of(&[
        ("app/src/lib.rs", "mod model;\nmod cache;\nmod report;\nmod handle;\n"),
        ("app/src/model.rs", "pub struct Key;\n"),
        ("app/src/cache.rs", "use crate::model::Key;\n"),
        ("app/src/report.rs", ""),
        ("app/src/handle.rs", "use crate::{cache, model, report};\n"),
    ]);
    let listing = read(&WITH_ROOMS, &[app()], &sources).listing;
    let expected = "\
crate  may depend on  depends on  tests only
app

app     may import  imports
model
cache   model       model
report  model
handle  all above   all above
";
    assert_eq!(listing, expected);
}

#[test]
fn a_block_that_is_out_of_date_is_found() {
    let finding = check_block("MAP.md", DOCUMENT, "new\n\nlist\n").map(|found| found.to_string());
    let expected = "MAP.md:3: the list of layers is out of date: run `cargo xtask layers --write`";
    assert_eq!(finding.as_deref(), Some(expected));
}

#[test]
fn a_block_that_was_written_is_up_to_date() {
    let document = with_block(DOCUMENT, "new\n\nlist\n").expect("it has a block");
    let expected = "# Map\n\n<!-- layers -->\n\n    new\n\n    list\n\n<!-- /layers -->\n\nMore.\n";
    assert_eq!(document, expected);
    assert_eq!(check_block("MAP.md", &document, "new\n\nlist\n"), None);
}

#[test]
fn a_document_without_a_block_is_found() {
    let finding = check_block("MAP.md", "# Map\n", "new\n").map(|found| found.to_string());
    let expected = "MAP.md:1: the lines `<!-- layers -->` and `<!-- /layers -->` are missing";
    assert_eq!(finding.as_deref(), Some(expected));
}
