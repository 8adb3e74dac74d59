use super::pieces::Piece;
use crate::finding::Finding;

/// Words that we replaced by plainer ones.
const REPLACED: [&str; 11] = [
    "anew",
    "are told",
    "go on with",
    "goes on",
    "gone on",
    "is told",
    "nobody",
    "somebody",
    "was told",
    "whereof",
    "whoever",
];

/// Each use of a word that we replaced.
pub(super) fn check(file: &str, pieces: &[Piece]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for piece in pieces {
        // Most have none, and to split a text into words takes long in a debug build.
        let text = piece.text.to_lowercase();
        let longest =
            REPLACED.iter().filter_map(|phrase| phrase.split(' ').max_by_key(|word| word.len()));
        if !longest.into_iter().any(|word| text.contains(word)) {
            continue;
        }
        let words = words(&piece.text);
        for at in 0..words.len() {
            for phrase in REPLACED {
                if begins_with(&words[at..], phrase) {
                    let line = piece.line + words[at].line;
                    findings.push(Finding::new(
                        file,
                        line,
                        format!("`{phrase}` is a word that we replaced by plainer ones"),
                    ));
                }
            }
        }
    }
    findings
}

struct Word {
    /// In lower case.
    text: String,
    /// From 0, in the piece.
    line: usize,
    /// Whether only space is between it and the word in front of it.
    follows: bool,
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut line = 0;
    let mut end = 0;
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    while let Some(found) = text[end..].find(is_letter) {
        let start = end + found;
        let length = text[start..].find(|letter| !is_letter(letter));
        let length = length.unwrap_or(text.len() - start);
        let between = &text[end..start];
        line += between.matches('\n').count();
        words.push(Word {
            text: text[start..start + length].to_lowercase(),
            line,
            follows: between.trim().is_empty(),
        });
        end = start + length;
    }
    words
}

fn begins_with(words: &[Word], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').enumerate().all(|(index, expected)| {
        words.next().is_some_and(|word| word.text == expected && (index == 0 || word.follows))
    })
}
