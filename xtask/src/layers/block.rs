use crate::finding::Finding;

const BEGIN: &str = "<!-- layers -->";
const END: &str = "<!-- /layers -->";

/// Compares the block of a document with the listing.
pub fn check_block(file: &str, document: &str, listing: &str) -> Option<Finding> {
    match with_block(document, listing) {
        None => Some(Finding::new(file, 1, format!("the lines `{BEGIN}` and `{END}` are missing"))),
        Some(updated) if updated == document => None,
        Some(_) => {
            let line = document.lines().position(|line| line == BEGIN).map_or(1, |line| line + 1);
            let message = "the list of layers is out of date: run `cargo xtask layers --write`";
            Some(Finding::new(file, line, message))
        }
    }
}

/// The document with this listing in its block; none if it has no block.
pub fn with_block(document: &str, listing: &str) -> Option<String> {
    let begin = document.find(&format!("{BEGIN}\n"))? + BEGIN.len() + 1;
    let end = begin + document[begin..].find(END)?;
    let indented = listing.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("    {line}\n"),
    });
    let block: String = indented.collect();
    Some(format!("{}\n{block}\n{}", &document[..begin], &document[end..]))
}
