//! The note of a data set: how it is laid out, and which data set it is.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::config::Placement;
use crate::error::Failure;
use crate::layout::Layout;

/// The version of the layout.
const FORMAT: &str = "1";

/// A note for a new data set. Its id tells it from every other one, so that a server that holds
/// another data set all at once (`SWAPDB`, a restart without data) is noticed.
pub(super) fn new_note(placement: Placement) -> String {
    // The seeds of the standard library's hash maps come from the system's random numbers.
    let random = || RandomState::new().build_hasher().finish();
    format!(r#"{},"id":"{:016x}{:016x}"}}"#, beginning(placement), random(), random())
}

fn beginning(placement: Placement) -> String {
    format!(r#"{{"format":{FORMAT},"placement":"{}""#, placement.as_str())
}

/// Whether a note is of the first kind, which has no id.
pub(super) fn lacks_id(note: &str) -> bool {
    !note.contains(r#""id":"#)
}

/// Refuses a data set that is laid out in another way.
pub(crate) fn check_note(note: &str, layout: &Layout) -> Result<(), Failure> {
    let placement = layout.placement;
    if let Some(rest) = note.strip_prefix(&beginning(placement))
        && (rest == "}" || rest.starts_with(r#","id":""#))
    {
        return Ok(());
    }
    let prefix = layout.prefix();
    Err(Failure::config(if note.contains(&format!(r#""format":{FORMAT},"#)) {
        other_placement(layout, note)
    } else {
        format!(
            "the store under the prefix {prefix} has another format ({note}); use the version of \
             this program that has written it, or another prefix"
        )
    }))
}

/// Says that the data set is placed in another way, as `found` shows.
pub(super) fn other_placement(layout: &Layout, found: &str) -> String {
    format!(
        "the store under the prefix {} has another placement ({found}) than {}; copy it into a \
         store of its own",
        layout.prefix(),
        layout.placement.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_differ_and_suit_their_placement_only() {
        let by_key = Layout::new("app", Placement::PerKey);
        let by_space = Layout::new("app", Placement::PerSpace);
        let (one, other) = (new_note(Placement::PerKey), new_note(Placement::PerKey));
        assert_ne!(one, other);
        assert!(check_note(&one, &by_key).is_ok() && !lacks_id(&one));
        assert!(check_note(&one, &by_space).is_err());
        let old = r#"{"format":1,"placement":"per_key"}"#;
        assert!(check_note(old, &by_key).is_ok() && lacks_id(old));
        assert!(check_note(&one.replace(":1,", ":2,"), &by_key).is_err());
    }
}
