//! Replacing parts of a text.

use std::borrow::Cow;
use std::ops::Range;

/// A value that an edit has put somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewValue<'t> {
    /// The text that the edit gives it.
    pub(super) text: &'t str,
    /// The name of the member that it is the value of, as it is written.
    pub(super) name: Option<&'t str>,
    /// The stored text of what it replaces.
    pub(super) replaces: Option<&'t str>,
}

/// A part of an edited text.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    Text(Cow<'t, str>),
    /// A value of the edit: which text it gets is known when the whole edit is.
    New(NewValue<'t>),
}

impl<'t> Piece<'t> {
    pub(super) fn text(text: impl Into<Cow<'t, str>>) -> Self {
        Self::Text(text.into())
    }
}

/// A text, and the parts of it that are replaced.
#[derive(Debug)]
pub(super) struct Splice<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, Vec<Piece<'t>>)>,
}

impl<'t> Splice<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, edits: Vec::new() }
    }

    /// Replaces a part of the text.
    pub(super) fn replace(&mut self, part: &'t str, by: Vec<Piece<'t>>) {
        let range = self.range_of(part);
        self.edits.push((range, by));
    }

    /// Removes and inserts elements of an object or an array, with the commas between them.
    ///
    /// `elements` are those that are there, and whether each is kept. An insertion stands behind a
    /// kept element, or in front of all.
    pub(super) fn elements(
        &mut self,
        container: &'t str,
        elements: &[(&'t str, bool)],
        insertions: Vec<(Option<usize>, Vec<Piece<'t>>)>,
    ) {
        let ranges: Vec<_> = elements.iter().map(|(element, _)| self.range_of(element)).collect();
        let mut any_kept = false;
        for (at, (_, kept)) in elements.iter().enumerate() {
            if *kept {
                any_kept = true;
                continue;
            }
            // With the comma before it; at the front with the one behind it.
            let removed = match ranges.get(at + 1) {
                _ if any_kept => ranges[at - 1].end..ranges[at].end,
                Some(next) => ranges[at].start..next.start,
                None => ranges[at].clone(),
            };
            self.edits.push((removed, Vec::new()));
        }
        // A whole document may begin with whitespace.
        let front = self.range_of(container.trim_ascii_start()).start + 1;
        let mut first = true;
        let (in_front, behind): (Vec<_>, Vec<_>) =
            insertions.into_iter().partition(|(after, _)| after.is_none());
        let mut pieces = Vec::new();
        for (_, insertion) in in_front {
            if !std::mem::take(&mut first) {
                pieces.push(Piece::text(","));
            }
            pieces.extend(insertion);
        }
        if !pieces.is_empty() {
            if any_kept {
                pieces.push(Piece::text(","));
            }
            self.edits.push((front..front, pieces));
        }
        for (after, insertion) in behind {
            let at = after.map_or(front, |after| ranges[after].end);
            let mut pieces = vec![Piece::text(",")];
            pieces.extend(insertion);
            self.edits.push((at..at, pieces));
        }
    }

    /// The edited text in pieces.
    pub(super) fn finish(mut self) -> Vec<Piece<'t>> {
        // Stable: insertions at one place stay in order, and before a removal that begins there.
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut pieces = Vec::with_capacity(2 * self.edits.len() + 1);
        let mut done = 0;
        for (range, by) in self.edits {
            if done < range.start {
                pieces.push(Piece::text(&self.text[done..range.start]));
            }
            pieces.extend(by);
            done = done.max(range.end);
        }
        pieces.push(Piece::text(&self.text[done..]));
        pieces
    }

    /// The edited text, if all that was put in is text.
    pub(super) fn into_text(self) -> String {
        let text = |piece: &Piece<'t>| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::New(value) => value.text.to_owned(),
        };
        self.finish().iter().map(text).collect()
    }

    /// Where a part of the text stands in it.
    fn range_of(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + part.len()
    }
}
