//! Every clause of the contract has a case, and every case a clause.

use std::collections::BTreeSet;

use pstate_testkit::conformance::Suite;

/// The documentation of the trait, as headings, paragraphs and list items. Each item of code ends
/// the section in front of it, like a heading.
fn paragraphs() -> Vec<String> {
    let source = include_str!("../../pstate-core/src/storage/adapter.rs");
    let mut paragraphs = vec![String::new()];
    for line in source.lines() {
        let doc = line.trim_start().strip_prefix("///").map(str::trim);
        match doc {
            Some(text) if !text.is_empty() => {
                if text.starts_with("- ") || text.starts_with("# ") {
                    paragraphs.push(String::new());
                }
                let last = paragraphs.pop().unwrap_or_default();
                if text.starts_with("# ") {
                    paragraphs.extend([text.to_owned(), String::new()]);
                } else {
                    paragraphs.push(last + text + " ");
                }
            }
            Some(_) => paragraphs.push(String::new()),
            None => paragraphs.extend(["# ".to_owned(), String::new()]),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// The cases that a clause names in backticks after `Case:` or `Cases:`.
fn named(paragraph: &str) -> BTreeSet<&str> {
    let cases = paragraph.split_once("Case: ").or_else(|| paragraph.split_once("Cases: "));
    let cases = cases.map(|(_, cases)| cases).unwrap_or_default();
    cases.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_clause_names_a_case() {
    let mut contract = false;
    let mut clauses = 0;
    for paragraph in paragraphs() {
        if let Some(heading) = paragraph.strip_prefix("# ") {
            contract = ["Contract", "Errors", "Cancel safety"].contains(&heading);
        } else if contract {
            assert!(!named(&paragraph).is_empty(), "no case is named by: {paragraph}");
            clauses += 1;
        }
    }
    assert!(clauses > 50, "only {clauses} clauses were found");
}

#[test]
fn each_case_is_named_by_the_clause_that_it_tests() {
    let paragraphs = paragraphs();
    for case in Suite::cases() {
        let clause = paragraphs.iter().filter(|paragraph| paragraph.contains(case.clause));
        let names = clause.clone().any(|paragraph| named(paragraph).contains(case.name));
        assert!(clause.count() > 0, "{}: no clause says {:?}", case.name, case.clause);
        assert!(names, "{}: its clause {:?} does not name it", case.name, case.clause);
    }
}

#[test]
fn each_case_that_is_named_exists() {
    let cases: BTreeSet<&str> = Suite::cases().map(|case| case.name).collect();
    let paragraphs = paragraphs();
    let named: BTreeSet<&str> = paragraphs.iter().flat_map(|paragraph| named(paragraph)).collect();
    assert_eq!(named, cases);
}
