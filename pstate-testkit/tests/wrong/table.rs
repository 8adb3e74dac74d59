//! The tables of the README, made from the cases and the wrong adapters.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use libtest_mimic::Failed;
use pstate_testkit::conformance::{Case, Dimension, Promise, Suite};

use crate::crossing;
use crate::fault::Fault;

const BEGIN: &str = "<!-- begin: made by `PSTATE_TESTKIT_UPDATE=1 cargo test -p pstate-testkit --test wrong tables` -->\n";
const END: &str = "<!-- end -->\n";

/// What each wrong adapter does, and the case that finds it.
fn adapters() -> Vec<(&'static str, &'static str)> {
    let faults = Fault::ALL.iter().map(|fault| (fault.what(), fault.case()));
    faults.chain(crossing::ALL.iter().map(|crossed| (crossed.what, crossed.case))).collect()
}

/// Why no case can be there.
fn reason(promise: Promise, dimension: Dimension) -> Option<&'static str> {
    use Dimension as D;
    use Promise as P;
    Some(match (promise, dimension) {
        (P::Keys, D::Overlap) => "keys do not depend on what overlaps",
        (P::Keys, D::Simple | D::Size) => "keys differ by name, however many there are",
        (P::Reads | P::Bytes | P::Scans, D::Overlap) => "that is `atomicity` and `concurrency`",
        (P::Visibility, D::Size) => "that is `outcomes` and `atomicity`",
        (P::Visibility, D::Time) => "that is `durability`",
        (P::Outcomes | P::Revisions | P::Errors | P::Counts, D::Overlap) => {
            "what overlaps is `concurrency`; an outcome, an error and a count are one call's"
        }
        (P::Concurrency, D::Size | D::Write) => "that is `linearizable`, which makes all calls",
        (P::Errors, D::Process | D::Time) => "an error depends on the call, not on who has written",
        (P::Closing, D::Size) => "a closed store holds nothing that has a size",
        (P::Changes, D::Time) => "a subscription ends with its handle",
        (P::Durability, D::Overlap | D::Process | D::Handle) => {
            "that is `closing` and `visibility`"
        }
        (P::Visibility | P::Concurrency, D::Name) => "names are a matter of `keys` and `spaces`",
        (_, D::Name) => "any name is as good as another, once `keys` and `spaces` hold",
        (P::Cancellation, D::Simple) => "a dropped call is one that overlaps",
        (P::Concurrency, D::Simple | D::Time) => "concurrency needs calls that overlap",
        _ => return None,
    })
}

fn matrix() -> String {
    let cases: Vec<&Case> = Suite::cases().collect();
    let adapters = adapters();
    let mut text = String::from("| promise |");
    for dimension in Dimension::ALL {
        write!(text, " {dimension} |").unwrap();
    }
    text.push_str("\n|---|");
    text.push_str(&"--:|".repeat(Dimension::ALL.len()));
    text.push('\n');
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for promise in Promise::ALL {
        write!(text, "| {promise} |").unwrap();
        for dimension in Dimension::ALL {
            let here: Vec<_> = cases
                .iter()
                .filter(|case| case.promises.contains(&promise))
                .filter(|case| case.dimensions.contains(&dimension))
                .collect();
            let found = adapters.iter().filter(|(_, by)| here.iter().any(|case| case.name == *by));
            match (here.len(), reason(promise, dimension)) {
                (0, Some(reason)) => {
                    let next = reasons.len() + 1;
                    let number = *reasons.entry(reason).or_insert(next);
                    write!(text, " ({number}) |").unwrap();
                }
                (0, None) => text.push_str(" **hole** |"),
                (count, _) => write!(text, " {count} / {} |", found.count()).unwrap(),
            }
        }
        text.push('\n');
    }
    text.push('\n');
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, number)| *number);
    for (reason, number) in reasons {
        writeln!(text, "({number}) {reason}  ").unwrap();
    }
    text
}

fn tables() -> String {
    let mut text = matrix();
    text.push_str("\n| an adapter that | fails |\n|---|---|\n");
    for (what, case) in adapters() {
        writeln!(text, "| {what} | `{case}` |").unwrap();
    }
    text
}

/// Compares the tables with those in the README, or writes them there.
pub(crate) fn are_current() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(BEGIN).ok_or("README.md lacks the tables")?;
    let (_, after) = rest.split_once(END).ok_or("README.md lacks the end of the tables")?;
    let current = format!("{before}{BEGIN}{}{END}{after}", tables());
    if current == readme {
        return Ok(());
    }
    if env::var_os("PSTATE_TESTKIT_UPDATE").is_some() {
        return Ok(fs::write(&path, current)?);
    }
    Err("the tables in README.md are not those of the suite: see the comment in front of them"
        .into())
}
