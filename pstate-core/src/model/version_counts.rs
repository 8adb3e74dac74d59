//! How many documents of which version there are.

use std::collections::{BTreeMap, HashMap};

use super::json::validate;

/// How many documents of each type and version were counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionCounts {
    types: HashMap<String, BTreeMap<u32, u64>>,
    unreadable: u64,
    /// The first of those that cannot be read.
    first_unreadable: Option<String>,
}

impl VersionCounts {
    /// Counts a record by its key and stored bytes, at the version that a read takes it for. What a
    /// read refuses, as a text that was cut off, is counted as unreadable.
    ///
    /// Costs one pass over the bytes, about 0.7 ns a byte: a beginning does not tell whether a read
    /// gets to the end, nor whether another `$v` follows.
    pub fn add(&mut self, key: &str, value: &[u8]) {
        match (key.split_once(':'), validate(value)) {
            (Some((entity_type, _)), Ok(version)) => self.count(entity_type, version.unwrap_or(0)),
            _ => self.add_unreadable(key),
        }
    }

    /// Counts a record that cannot be read; `place` is its key, or where it lies.
    pub fn add_unreadable(&mut self, place: &str) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert_with(|| place.to_owned());
    }

    fn count(&mut self, entity_type: &str, version: u32) {
        let versions = match self.types.get_mut(entity_type) {
            Some(versions) => versions,
            None => self.types.entry(entity_type.to_owned()).or_default(),
        };
        *versions.entry(version).or_default() += 1;
    }

    /// The counts by type and version; version 0 is a document without `$v`.
    pub fn by_type(&self) -> BTreeMap<&str, &BTreeMap<u32, u64>> {
        self.types.iter().map(|(name, versions)| (name.as_str(), versions)).collect()
    }

    /// How many records cannot be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The key or the place of the first record that cannot be read.
    pub fn first_unreadable(&self) -> Option<&str> {
        self.first_unreadable.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_by_type_and_version() {
        let mut counts = VersionCounts::default();
        for (key, value) in [
            ("card:1", r#"{"$v":2,"a":1}"#),
            ("card:2", r#"{"$v":2}"#),
            ("card:3", r#"{"a":1,"$v":1}"#),
            ("card:4", r#"{ "$v" : 1 }"#),
            ("card:5", "{}"),
            ("deck:1", r#"{"$v":12,"a":1}"#),
            ("deck:2", "no JSON"),
            ("deck:3", r#"{"$v":-1}"#),
            ("deck:4", r#"{"$v":1,"name":"Span"#),
            ("deck:5", r#"{"$v":1}{"$v":1}"#),
            ("deck:6", r#"{"$v":1,"a":1,"$v":12}"#),
        ] {
            counts.add(key, value.as_bytes());
        }
        let card = BTreeMap::from([(0, 1), (1, 2), (2, 2)]);
        let deck = BTreeMap::from([(12, 2)]);
        assert_eq!(counts.by_type(), BTreeMap::from([("card", &card), ("deck", &deck)]));
        assert_eq!((counts.unreadable(), counts.first_unreadable()), (4, Some("deck:2")));
    }
}
