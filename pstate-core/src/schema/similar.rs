//! Names that look like misspellings of other names.

/// The name among `names` that `name` is most likely a misspelling of: the nearest one, if it is at
/// most two edits away, and one edit for every three characters. In shorter names an edit makes
/// another word: `cat`, `car`.
pub(super) fn most_similar<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let most = (name.chars().count() / 3).min(2);
    let distances = names.into_iter().map(|other| (distance(name, other), other));
    distances.filter(|(edits, _)| (1..=most).contains(edits)).min().map(|(_, other)| other)
}

/// How many insertions, deletions, replacements and swaps of neighbors lead from one name to the
/// other, without editing a character twice.
fn distance(from: &str, to: &str) -> usize {
    let [from, to] = [from, to].map(|name| name.chars().collect::<Vec<char>>());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut edits = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                edits = edits.min(before[column - 1] + 1);
            }
            next.push(edits);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_swaps() {
        for (from, to, edits) in [
            ("card", "card", 0),
            ("crad", "card", 1),
            ("cards", "card", 1),
            ("crd", "card", 1),
            ("cord", "card", 1),
            ("", "card", 4),
            ("card", "", 4),
            ("deck", "card", 4),
            ("translatoin", "translation", 1),
            ("tranlsatoin", "translation", 2),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn a_name_is_similar_to_the_nearest_and_short_names_to_none() {
        let declared = ["user", "card", "base_card", "translation", "tag"];
        let similar = |name| most_similar(name, declared);
        assert_eq!(similar("crad"), Some("card"));
        assert_eq!(similar("users"), Some("user"));
        assert_eq!(similar("basecrad"), Some("base_card"));
        assert_eq!(similar("translatino"), Some("translation"));
        assert_eq!(similar("card"), None);
        assert_eq!(similar("cat"), None);
        assert_eq!(similar("tg"), None);
        assert_eq!(similar("deck"), None);
        assert_eq!(similar(""), None);
    }
}
