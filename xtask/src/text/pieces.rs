/// A run of text for readers: comments of consecutive lines, a literal, or a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    /// The line on which it begins, from 1. Its lines are the source's lines.
    pub(super) line: usize,
    /// Without the signs of comments.
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Comment,
    Literal,
    Document,
}

pub(super) fn of_markdown(text: &str) -> Vec<Piece> {
    vec![Piece { kind: Kind::Document, line: 1, text: text.to_owned() }]
}

/// The comments and literals of a Rust source.
pub(super) fn of_rust(source: &str) -> Vec<Piece> {
    let mut scanner = Scanner { rest: source, line: 1, pieces: Vec::new() };
    // Bytes, because a debug build takes long for each character.
    let may_begin = |byte: &u8| matches!(byte, b'/' | b'"' | b'\'');
    while let Some(found) = scanner.rest.as_bytes().iter().position(may_begin) {
        let code = &scanner.rest[..found];
        scanner.skip(found);
        scanner.step(code);
    }
    scanner.pieces
}

struct Scanner<'s> {
    rest: &'s str,
    line: usize,
    pieces: Vec<Piece>,
}

impl<'s> Scanner<'s> {
    /// Reads what begins here, behind some code.
    fn step(&mut self, code: &'s str) {
        let rest = self.rest;
        if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            self.line_comment(&rest[..end]);
            self.skip(end);
        } else if rest.starts_with("/*") {
            let end = block_comment(rest);
            self.piece(Kind::Comment, &rest[..end]);
            self.skip(end);
        } else if let Some(inner) = rest.strip_prefix('"') {
            let (end, close) = match raw_string_end(code) {
                Some(close) => (inner.find(&close).unwrap_or(inner.len()), close.len()),
                None => (string(inner), 1),
            };
            self.literal(1, end, close);
        } else {
            self.skip(character(rest).unwrap_or(1));
        }
    }

    fn literal(&mut self, open: usize, length: usize, close: usize) {
        let rest = self.rest;
        let text = rest[open..open + length].replace("\\\n", " \n").replace("\\n", "  ");
        self.piece(Kind::Literal, &text);
        self.skip((open + length + close).min(rest.len()));
    }

    /// Adds a comment; to the one above where that is its beginning.
    fn line_comment(&mut self, comment: &str) {
        let text = comment.trim_start_matches('/').trim_start_matches('!');
        let line = self.line;
        if let Some(above) = self.pieces.last_mut()
            && above.kind == Kind::Comment
            && above.line + above.text.matches('\n').count() + 1 == line
        {
            above.text.push('\n');
            above.text.push_str(text);
            return;
        }
        self.piece(Kind::Comment, text);
    }

    fn piece(&mut self, kind: Kind, text: &str) {
        self.pieces.push(Piece { kind, line: self.line, text: text.to_owned() });
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }
}

/// Where a block comment ends, with those inside it.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// What ends the string behind this code, if it is a raw string.
fn raw_string_end(code: &str) -> Option<String> {
    let prefix = code.trim_end_matches('#');
    let signs = code.len() - prefix.len();
    let prefix = prefix.strip_suffix('r')?;
    let prefix = prefix.strip_suffix(['b', 'c']).unwrap_or(prefix);
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    (!prefix.ends_with(in_word)).then(|| format!("\"{}", "#".repeat(signs)))
}

/// The length of a string up to its closing quote.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        let escaped = inner[1..].chars().next()?.len_utf8();
        return Some(1 + 1 + escaped + inner[1 + escaped..].find('\'')? + 1);
    }
    let length = first.len_utf8();
    inner[length..].starts_with('\'').then_some(1 + length + 1)
}
