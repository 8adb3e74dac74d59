//! The members of documents, as they are written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The text of each member; of one that is written twice, the last. `None` for what is no object.
pub(crate) fn members(document: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(document).ok()
}

/// Checks that each member for which `stays` says so has the same text before and after.
pub(crate) fn assert_kept(before: &str, after: &str, stays: impl Fn(&str) -> bool) {
    let after = members(after).expect("what is written is an object");
    for (name, text) in members(before).into_iter().flatten().filter(|(name, _)| stays(name)) {
        let kept = after.get(&name).map(|text| text.get());
        assert_eq!(kept, Some(text.get()), "member {name:?}");
    }
}
