//! Extensions: what an adapter offers beyond the contract.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use pstate_core::{Scan, VersionCounts};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;

cases! { "extensions";
    count_versions [Counts Simple]: "What is counted is what a scan of the whole space gives.",
    count_unreadable [Counts Simple]: "A document counts at the version that a read takes it for, or as unreadable.",
}

async fn count_unreadable(context: &Context) -> CaseResult {
    let store = context.open().await?;
    let Some(counter) = store.adapter.extensions().count_versions else {
        return Err(CaseError::ignored("it does not count versions"));
    };
    let red = store.space("red");
    for (id, value) in [
        ("cut", r#"{"$v":1,"name":"Span"#),
        ("followed", r#"{"$v":1} {"$v":1}"#),
        ("negative", r#"{"$v":-1}"#),
        ("fraction", r#"{"$v":1.0}"#),
        ("text", r#"{"$v":"1"}"#),
        ("array", r#"[{"$v":1}]"#),
        ("empty", ""),
    ] {
        red.put(&format!("card:unreadable-{id}"), value).await?;
    }
    for (id, value) in [
        ("first", r#"{"$v":1,"n":1}"#),
        ("last", r#"{"n":1,"$v":1}"#),
        ("blanks", " { \"$v\" :\n1 } "),
        ("escaped", r#"{"\u0024v":1}"#),
        ("repeated", r#"{"$v":2,"n":1,"$v":1}"#),
        ("nested", r#"{"a":{"$v":2},"$v":1}"#),
    ] {
        red.put(&format!("card:{id}"), value).await?;
    }
    red.put("card:without", r#"{"a":{"$v":2}}"#).await?;
    let counts = counter.count_versions(&red.space).await?;
    ensure_eq("those that a read refuses", &7, &counts.unreadable())?;
    let card = BTreeMap::from([(0, 1), (1, 6)]);
    ensure_eq("those that are read", &BTreeMap::from([("card", &card)]), &counts.by_type())
}

async fn count_versions(context: &Context) -> CaseResult {
    let store = context.open().await?;
    if store.adapter.extensions().count_versions.is_none() {
        return Err(CaseError::ignored("it does not count versions"));
    }
    let (red, blue) = (store.space("red"), store.space("blue"));
    let counted = || async {
        let counter = store.adapter.extensions().count_versions;
        let counter = counter.ok_or_else(|| CaseError::mismatch("the same extensions", "none"))?;
        Ok::<_, CaseError>(counter.count_versions(&red.space).await?)
    };
    let scanned = || async {
        let mut counts = VersionCounts::default();
        let limit = NonZeroUsize::new(7).unwrap_or(NonZeroUsize::MIN);
        let mut scan = Scan { prefix: String::new(), after: None, limit };
        loop {
            let page = red.adapter.scan(&red.space, &scan).await?;
            for (key, record) in page.records {
                counts.add(key.as_str(), &record.bytes);
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok::<_, CaseError>(counts),
            }
        }
    };
    let summary = |counts: &VersionCounts| {
        let by_type: Vec<_> = counts
            .by_type()
            .into_iter()
            .map(|(name, versions)| (name.to_owned(), versions.clone()))
            .collect();
        (by_type, counts.unreadable())
    };
    ensure_eq("nothing in an empty space", &VersionCounts::default(), &counted().await?)?;
    for n in 0..20 {
        let (version, kind) = (n % 3, ["card", "card_2", "deck"][n % 3]);
        red.put(&format!("{kind}:{n}"), &format!(r#"{{"$v":{version},"n":{n}}}"#)).await?;
        blue.put(&format!("{kind}:{n}"), r#"{"$v":7}"#).await?;
    }
    red.put("card:late", r#"{"n":1,"$v":4}"#).await?;
    red.put("card:without", "{}").await?;
    red.put("card:broken", "no JSON").await?;
    ensure_eq("the counts of a scan", &summary(&scanned().await?), &summary(&counted().await?))?;
    red.put("card:0", r#"{"$v":9}"#).await?;
    red.delete("card:3").await?;
    red.delete("deck:2").await?;
    ensure_eq(
        "the counts of a scan after changes",
        &summary(&scanned().await?),
        &summary(&counted().await?),
    )
}
