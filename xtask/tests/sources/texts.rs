//! The width of comments, the choice of words, and links, where they are enforced.

use source_checks::Sources;
use source_checks::text::{TextRules, check};

use crate::fixture::assert_found;

const RULES: &[TextRules] = &[
    TextRules::new(""),
    TextRules::new("strict").columns().words(),
    TextRules::new("strict/list.rs").columns(),
];

/// What is found in these files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    check(RULES, &Sources::of(files)).findings.iter().map(ToString::to_string).collect()
}

fn wide(start: &str) -> String {
    format!("{start}{}x", "x ".repeat(60))
}

#[test]
fn comments_wider_than_the_limit_are_found_on_their_lines() {
    let text = format!(
        "//! Short.\n{}\nfn f() {{}} {}\n/*\n{}\n*/\n",
        wide("//! "),
        wide("// "),
        wide(" * ")
    );
    assert_found(
        &found(&[("strict/a.rs", &text)]),
        &[
            "strict/a.rs:2: a comment is 125 columns wide; the limit is 100",
            "strict/a.rs:3: a comment is 134 columns wide; the limit is 100",
            "strict/a.rs:5: a comment is 124 columns wide; the limit is 100",
        ],
    );
}

#[test]
fn columns_are_characters() {
    let text = format!("// {}\n// {}\n", "é ".repeat(48), "é ".repeat(50));
    let expected = "strict/a.rs:2: a comment is 103 columns wide; the limit is 100";
    assert_found(&found(&[("strict/a.rs", &text)]), &[expected]);
}

#[test]
fn what_cannot_be_broken_may_be_wider() {
    let address = format!("https://example.org/{}", "x".repeat(100));
    let text = format!(
        "{} |\n//! {address}\n//! [guide]: {address}\nconst TEXT: &str = \"{}\";\n",
        wide("//! | "),
        wide("// ")
    );
    assert_found(&found(&[("strict/a.rs", &text)]), &[]);
}

#[test]
fn replaced_words_are_found_in_comments_literals_and_documents() {
    let rust = "//! Nobody waits.\n\
                fn nobody() {\n    \
                    // It is\n    \
                    // told later; whoever asks.\n    \
                    let _ = (\"somebody\", r#\"a \"quote\" goes on\"#, 'a', b\"x\");\n    \
                    panic!(\"it was \\\n            told\");\n\
                }\n";
    let found =
        found(&[("strict/a.rs", rust), ("strict/README.md", "# Title\n\nIt begins anew.\n")]);
    let replaced = |place: &str, word: &str| {
        format!("strict/{place}: `{word}` is a word that we replaced by plainer ones")
    };
    let expected = [
        replaced("a.rs:1", "nobody"),
        replaced("a.rs:3", "is told"),
        replaced("a.rs:4", "whoever"),
        replaced("a.rs:5", "somebody"),
        replaced("a.rs:5", "goes on"),
        replaced("a.rs:6", "was told"),
        replaced("README.md:3", "anew"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn parts_of_words_and_words_with_signs_between_them_pass() {
    let text = "// nobody_waits, renews; it is. Told, it goes; on.\nconst QUOTE: char = '\"';\n\
                fn anew<'somebody>() {}\n";
    assert_found(&found(&[("strict/a.rs", text)]), &[]);
}

#[test]
fn rules_that_are_not_enforced_are_counted() {
    let text = format!("{}\n// nobody, nobody\n", wide("// "));
    let texts = check(RULES, &Sources::of(&[("a.rs", &text), ("strict/list.rs", "// nobody\n")]));
    assert_eq!(texts.findings, []);
    let counts = texts.tolerated.iter().map(|(path, count)| (*path, count.columns, count.words));
    assert_eq!(counts.collect::<Vec<_>>(), [("", 1, 2), ("strict/list.rs", 0, 1)]);
}

#[test]
fn links_that_lead_to_no_file_are_found() {
    let text = "See [the guide](guide.md) and [another](../missing.md#part).\n\
                [there]: ./nothing.md \"title\"\n\
                ![picture](<picture.svg>) [out](../../x.md)\n";
    assert_found(
        &found(&[("docs/README.md", text), ("docs/guide.md", "")]),
        &[
            "docs/README.md:1: the link to ../missing.md#part leads to no file",
            "docs/README.md:2: the link to ./nothing.md leads to no file",
            "docs/README.md:3: the link to picture.svg leads to no file",
            "docs/README.md:3: the link to ../../x.md leads to no file",
        ],
    );
}

#[test]
fn links_to_files_directories_addresses_and_items_pass() {
    let text = "[a](guide.md#part) [b](../docs) [c](https://example.org/x) [d](#part)\n\
                [e](/docs/guide.md) [`f`](pstate::PState) [g](mailto:x@example.org)\n\
                `[code](nothing.md)` ``a ` [code](nothing.md)``\n\
                ```text\n[code](nothing.md)\n```\n\
                [1]: https://example.org\n";
    assert_found(&found(&[("docs/README.md", text), ("docs/guide.md", "")]), &[]);
}
