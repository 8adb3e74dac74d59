//! Extensions: what an adapter offers beyond the contract.

use std::num::NonZeroUsize;

use pstate_core::{Scan, VersionCounts};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::ensure_eq;
use crate::conformance::context::Context;

cases! { "extensions";
    count_versions: "What is counted is what a scan of the whole space gives.",
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
