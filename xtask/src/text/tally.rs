use std::collections::BTreeMap;

use super::rules::TextRules;
use super::{columns, links, pieces, words};
use crate::finding::Finding;
use crate::sources::Sources;

/// What the rules of texts find.
#[derive(Debug)]
pub struct Texts {
    /// What breaks a rule that is enforced where it stands.
    pub findings: Vec<Finding>,
    /// By path of the rules, how much breaks a rule that is not enforced there yet.
    pub tolerated: BTreeMap<&'static str, Tolerated>,
}

/// How many places break a rule that is not enforced where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerated {
    /// Comments that are too wide.
    pub columns: usize,
    /// Words that we replaced.
    pub words: usize,
}

/// Checks all Rust sources and Markdown documents.
pub fn check(rules: &'static [TextRules], sources: &Sources) -> Texts {
    let mut texts = Texts { findings: links::check(sources), tolerated: BTreeMap::new() };
    for (file, text) in sources.texts("rs") {
        let pieces = pieces::of_rust(text);
        texts.add(rules, file, columns::check(file, text, &pieces), words::check(file, &pieces));
    }
    for (file, text) in sources.texts("md") {
        texts.add(rules, file, Vec::new(), words::check(file, &pieces::of_markdown(text)));
    }
    texts
}

impl Texts {
    fn add(
        &mut self,
        rules: &'static [TextRules],
        file: &str,
        columns: Vec<Finding>,
        words: Vec<Finding>,
    ) {
        let default = TextRules::new("");
        let rules = TextRules::of(rules, file).copied().unwrap_or(default);
        let tolerated = self.tolerated.entry(rules.path).or_default();
        if rules.columns {
            self.findings.extend(columns);
        } else {
            tolerated.columns += columns.len();
        }
        if rules.words {
            self.findings.extend(words);
        } else {
            tolerated.words += words.len();
        }
    }
}
