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

/// Whether a name in the documentation stands for a case: `*` stands for anything.
fn stands_for(name: &str, case: &str) -> bool {
    let mut rest = case;
    let mut parts = name.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        let Some(at) = rest.rfind(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || name.ends_with('*')
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
        let is_named =
            |paragraph: &&String| named(paragraph).iter().any(|name| stands_for(name, &case.name));
        let names = clause.clone().any(|paragraph| is_named(&paragraph));
        assert!(clause.count() > 0, "{}: no clause says {:?}", case.name, case.clause);
        assert!(names, "{}: its clause {:?} does not name it", case.name, case.clause);
    }
}

#[test]
fn each_case_that_is_named_exists() {
    let paragraphs = paragraphs();
    let named: BTreeSet<&str> = paragraphs.iter().flat_map(|paragraph| named(paragraph)).collect();
    for name in named {
        let stands_for_one = Suite::cases().any(|case| stands_for(name, &case.name));
        assert!(stands_for_one, "there is no case {name}");
    }
}

#[test]
fn no_two_cases_have_the_same_name() {
    let names: BTreeSet<&str> = Suite::cases().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), Suite::cases().count());
}
