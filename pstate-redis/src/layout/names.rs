//! The names of all keys.

use std::str;

use pstate_core::{Key, Space};

use crate::config::Placement;

/// What is stored under which name.
///
/// | key | `PerSpace` | `PerKey` |
/// |---|---|---|
/// | a record | `{p:space}:type:id` | `p:space:type:id` |
/// | the index of a type, a sorted set of ids | `{p:space}:/keys:type` | `p:/keys:{space:type}` |
/// | what was added to the index lately, by time | | `p:/new:{space:type}` |
/// | the types of a space, a set | `{p:space}:/types` | `p:/types:{space}` |
/// | the spaces, a set | `p:/spaces` | `p:/spaces` |
/// | format and placement | `p:/format` | `p:/format` |
///
/// Each list and index has a [mark](spaces_mark) as well: without it, it is not complete.
///
/// Neither prefix, space nor type contains a colon, a slash or a brace. So no two of these are the
/// same, whatever ids contain, and the first braces of a key are the layout's own wherever the slot
/// matters. A record that is placed by key may have braces in its id: it lies in some slot then,
/// like any other.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    prefix: String,
    pub(crate) placement: Placement,
}

/// What the list of spaces has besides spaces. It also shows how records are placed, should the
/// note be lost.
pub(crate) const fn spaces_mark(placement: Placement) -> &'static str {
    match placement {
        Placement::PerSpace => "/per_space",
        Placement::PerKey => "/per_key",
    }
}

/// What the types of a space have besides types.
pub(crate) const TYPES_MARK: &str = "/";

/// What an index has besides ids: no id is empty, so it comes before all of them.
pub(crate) const INDEX_MARK: &str = "";

impl Layout {
    pub(crate) fn new(prefix: &str, placement: Placement) -> Self {
        Self { prefix: prefix.to_owned(), placement }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn record(&self, space: &Space, key: &Key) -> String {
        self.records(space).name(key).to_owned()
    }

    /// Makes the names of the records of a space, one after the other.
    pub(crate) fn records(&self, space: &Space) -> RecordNames {
        let Self { prefix, placement } = self;
        let name = match placement {
            Placement::PerSpace => format!("{{{prefix}:{space}}}:"),
            Placement::PerKey => format!("{prefix}:{space}:"),
        };
        RecordNames { prefix_len: name.len(), name }
    }

    pub(crate) fn index(&self, space: &Space, entity_type: &str) -> String {
        let Self { prefix, placement } = self;
        match placement {
            Placement::PerSpace => format!("{{{prefix}:{space}}}:/keys:{entity_type}"),
            Placement::PerKey => format!("{prefix}:/keys:{{{space}:{entity_type}}}"),
        }
    }

    /// What was added to the index lately. Only where records are placed by key.
    pub(crate) fn added(&self, space: &Space, entity_type: &str) -> String {
        format!("{}:/new:{{{space}:{entity_type}}}", self.prefix)
    }

    pub(crate) fn types(&self, space: &Space) -> String {
        let Self { prefix, placement } = self;
        match placement {
            Placement::PerSpace => format!("{{{prefix}:{space}}}:/types"),
            Placement::PerKey => format!("{prefix}:/types:{{{space}}}"),
        }
    }

    pub(crate) fn spaces(&self) -> String {
        format!("{}:/spaces", self.prefix)
    }

    pub(crate) fn format(&self) -> String {
        format!("{}:/format", self.prefix)
    }

    /// The prefix of the names of all records.
    pub(crate) fn record_prefix(&self) -> String {
        match self.placement {
            Placement::PerSpace => format!("{{{}:", self.prefix),
            Placement::PerKey => format!("{}:", self.prefix),
        }
    }

    /// The space, and the type if it is an index, of a list; `None` for any other key.
    pub(crate) fn parse_list(&self, name: &[u8]) -> Option<(Space, Option<String>)> {
        let rest = str::from_utf8(name).ok()?.strip_prefix(&self.record_prefix())?;
        let (space, entity_type) = match self.placement {
            Placement::PerSpace => {
                let (space, list) = rest.split_once("}:/")?;
                (space, if list == "types" { None } else { Some(list.strip_prefix("keys:")?) })
            }
            Placement::PerKey => {
                let (list, place) = rest.strip_suffix('}')?.split_once(":{")?;
                match list {
                    "/types" => (place, None),
                    "/keys" => {
                        let (space, entity_type) = place.split_once(':')?;
                        (space, Some(entity_type))
                    }
                    _ => return None,
                }
            }
        };
        Some((space.parse().ok()?, entity_type.map(str::to_owned)))
    }

    /// The space and the key of a record; `None` for any other key.
    pub(crate) fn parse_record(&self, name: &[u8]) -> Option<(Space, Key)> {
        let rest = str::from_utf8(name).ok()?.strip_prefix(&self.record_prefix())?;
        let (space, key) = match self.placement {
            Placement::PerSpace => rest.split_once("}:")?,
            Placement::PerKey => rest.split_once(':')?,
        };
        Some((space.parse().ok()?, key.parse().ok()?))
    }
}

/// Makes names of records in one buffer.
#[derive(Debug)]
pub(crate) struct RecordNames {
    name: String,
    prefix_len: usize,
}

impl RecordNames {
    pub(crate) fn name(&mut self, key: &Key) -> &str {
        self.name.truncate(self.prefix_len);
        self.name.push_str(key.as_str());
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::slot;

    #[test]
    fn records_are_distinct_from_other_keys_whatever_their_ids_contain() {
        let space = Space::default();
        for placement in [Placement::PerSpace, Placement::PerKey] {
            let layout = Layout::new("app", placement);
            for id in ["1", "{}", "a}:b", "{app:x}:y", "/keys", "a:b:c"] {
                let key = Key::new("card", id).expect("a key");
                let name = layout.record(&space, &key);
                assert_eq!(layout.parse_record(name.as_bytes()), Some((space.clone(), key)));
                assert_eq!(layout.parse_list(name.as_bytes()), None, "{name}");
            }
            for other in [
                layout.index(&space, "card"),
                layout.added(&space, "card"),
                layout.types(&space),
                layout.spaces(),
                layout.format(),
            ] {
                assert_eq!(layout.parse_record(other.as_bytes()), None, "{other}");
            }
            for (list, entity_type) in [
                (layout.index(&space, "card"), Some("card".to_owned())),
                (layout.types(&space), None),
            ] {
                assert_eq!(layout.parse_list(list.as_bytes()), Some((space.clone(), entity_type)));
            }
            for other in [layout.added(&space, "card"), layout.spaces(), layout.format()] {
                assert_eq!(layout.parse_list(other.as_bytes()), None, "{other}");
            }
        }
    }

    #[test]
    fn what_belongs_together_lies_in_one_slot() {
        let space: Space = "acme".parse().expect("a space");
        let layout = Layout::new("app", Placement::PerSpace);
        let key = Key::new("card", "{other}").expect("a key");
        let names =
            [layout.record(&space, &key), layout.index(&space, "card"), layout.types(&space)];
        let slots = names.map(|name| slot(name.as_bytes()));
        assert_eq!(slots[0], slots[1]);
        assert_eq!(slots[1], slots[2]);
        let layout = Layout::new("app", Placement::PerKey);
        let (index, added) = (layout.index(&space, "card"), layout.added(&space, "card"));
        assert_eq!(slot(index.as_bytes()), slot(added.as_bytes()));
    }
}
