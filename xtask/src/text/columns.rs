use super::pieces::{Kind, Piece};
use crate::finding::Finding;

const COLUMNS: usize = 100;

/// Lines with a comment that are wider than code may be. A row of a table, and a line with a single
/// word (an address), cannot be broken and may be wider.
pub(super) fn check(file: &str, source: &str, pieces: &[Piece]) -> Vec<Finding> {
    let lines: Vec<&str> = source.lines().collect();
    let mut findings = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Comment) {
        for (offset, text) in piece.text.split('\n').enumerate() {
            let line = piece.line + offset;
            let width = lines.get(line - 1).map_or(0, |line| line.chars().count());
            if width > COLUMNS && !cannot_be_broken(text.trim()) {
                let message = format!("a comment is {width} columns wide; the limit is {COLUMNS}");
                findings.push(Finding::new(file, line, message));
            }
        }
    }
    findings
}

fn cannot_be_broken(text: &str) -> bool {
    let address = text.starts_with('[') && text.contains("]: ");
    text.starts_with('|') || !text.contains(' ') || address
}
