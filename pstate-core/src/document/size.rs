//! How much memory things take, as near as can be told without asking the allocator.

use serde_json::Value;

/// What an allocator gives for so many bytes: a word more, in steps of 16 bytes, at least 32.
pub(crate) fn allocation(len: usize) -> usize {
    if len == 0 { 0 } else { (len + size_of::<usize>()).next_multiple_of(16).max(32) }
}

/// What a tree takes beyond its root: the nodes of its maps, the elements of its lists, its texts.
pub(crate) fn tree(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(tree).sum(),
        Value::Object(members) => members.values().map(tree).sum(),
        _ => 0,
    };
    own(value) + inside
}

/// What a value takes beyond its place, without what the values in it take beyond theirs.
pub(super) fn own(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => allocation(text.len()),
        Value::Array(values) => allocation(values.len() * size_of::<Value>()),
        Value::Object(members) => {
            let names: usize = members.keys().map(|name| allocation(name.len())).sum();
            map_nodes::<String, Value>(members.len()) + names
        }
    }
}

/// How many arrays and objects the innermost value of a tree is in, or is: 1 for `{"a":1}`.
pub(super) fn levels(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(levels).max(),
        Value::Object(members) => members.values().map(levels).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

/// The nodes of a B-tree map of the standard library with so many entries.
fn map_nodes<K, V>(entries: usize) -> usize {
    const CAPACITY: usize = 11;
    // Where a node is full it is split, so most are little more than half full.
    const USUAL: usize = 7;
    let nodes = if entries <= CAPACITY { entries.min(1) } else { entries.div_ceil(USUAL) };
    let links = 2 * size_of::<usize>();
    nodes * allocation(CAPACITY * (size_of::<K>() + size_of::<V>()) + links)
}

/// What a value of so many bytes takes that was decoded from this text, with what it refers to.
///
/// What its type makes of the text is unknown. This takes the text for what declared types usually
/// make of it: a struct for the document, whose members' names are not kept; a map for each object
/// in it that is no reference; lists; texts. To count what they begin with costs a tenth of another
/// look through the JSON, and is little too much where a text contains such characters itself, or
/// an object becomes a struct.
pub(super) fn typed(text: &str, own: usize) -> usize {
    let counters = 2 * size_of::<usize>();
    allocation(own + counters) + Marks::of(text.as_bytes()).inside(text.len())
}

/// What a member of a map or an element of a list takes in place, as a rule.
type Usual = [usize; 5];

/// How often a text has the characters that what takes memory begins with.
#[derive(Default)]
struct Marks {
    quotes: usize,
    commas: usize,
    objects: usize,
    lists: usize,
    names: usize,
    references: usize,
}

impl Marks {
    /// Counts in a document, whose last character is none of these.
    fn of(text: &[u8]) -> Self {
        /// As many as a byte counts.
        const AT_ONCE: usize = 255;
        let mut marks = Self::default();
        let next = text.get(1..).unwrap_or_default();
        for (text, next) in text.chunks(AT_ONCE).zip(next.chunks(AT_ONCE)) {
            // In bytes, and without branches: so the compiler compares many at once.
            let (mut quotes, mut commas, mut objects, mut lists) = (0_u8, 0_u8, 0_u8, 0_u8);
            let (mut names, mut references) = (0_u8, 0_u8);
            for (&b, &next) in text.iter().zip(next) {
                quotes += u8::from(b == b'"');
                commas += u8::from(b == b',');
                objects += u8::from(b == b'{');
                lists += u8::from(b == b'[');
                names += u8::from(b == b'"') & u8::from(next == b':');
                references += u8::from(b == b'$') & u8::from(next == b'r');
            }
            marks.quotes += usize::from(quotes);
            marks.commas += usize::from(commas);
            marks.objects += usize::from(objects);
            marks.lists += usize::from(lists);
            marks.names += usize::from(names);
            marks.references += usize::from(references);
        }
        marks
    }

    /// What a text of this length with these marks becomes beyond the struct itself.
    fn inside(&self, len: usize) -> usize {
        let Self { quotes, commas, objects, lists, names, references } = *self;
        let texts = (quotes / 2).saturating_sub(names);
        // What a member and a text have around them: `"":,` and `""`.
        let contents = len.saturating_sub(4 * names + 2 * texts);
        let of_texts = texts * allocation(contents.div_ceil(texts.max(1)).max(1));
        // A comma or the beginning of an object stands before each name, all others in lists.
        let elements = (commas + objects + lists).saturating_sub(names);
        let of_lists = if lists > 0 { allocation(elements * size_of::<Usual>()) } else { 0 };
        let maps = objects.saturating_sub(1 + references);
        let of_maps = if maps > 0 {
            let entries = names.saturating_sub(references);
            maps * map_nodes::<String, Usual>(entries.div_ceil(maps)) + entries * allocation(1)
        } else {
            0
        };
        of_texts + of_lists + of_maps
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_takes_its_nodes_elements_and_texts() {
        assert_eq!(tree(&json!(1)), 0);
        assert_eq!(tree(&json!("hola")), 32);
        assert_eq!(tree(&json!([])), 0);
        assert_eq!(tree(&json!([1, 2])), allocation(2 * size_of::<Value>()));
        let node = allocation(11 * (size_of::<String>() + size_of::<Value>()) + 16);
        assert_eq!(tree(&json!({ "a": 1, "b": "x" })), node + 3 * 32);
        assert!(tree(&json!({ "a": { "b": {} } })) > 2 * node);
    }

    #[test]
    fn levels_are_those_of_the_innermost_value() {
        assert_eq!(levels(&json!(1)), 0);
        assert_eq!(levels(&json!({})), 1);
        assert_eq!(levels(&json!({ "a": 1, "b": [[], {}], "c": [1] })), 3);
    }

    #[test]
    fn a_typed_value_takes_its_own_size_and_the_texts_lists_and_maps_in_it() {
        let own = allocation(8 + 16);
        assert_eq!(typed(r#"{"n":1,"yes":true,"none":null}"#, 8), own);
        assert_eq!(typed(r#"{"text":"hola"}"#, 8), own + 32);
        assert_eq!(typed(r#"{"of":{"$ref":"card:1"}}"#, 8), own + 32);
        let list = allocation(2 * size_of::<Usual>());
        assert_eq!(typed(r#"{"list":[1,2]}"#, 8), own + list);
        let node = allocation(11 * (24 + 40) + 16);
        let map = node + 3 * 32;
        assert_eq!(typed(r#"{"map":{"a":{"$ref":"card:1"}}}"#, 8), own + map);
        let long = format!("{{\"text\":\"{}\"}}", "x".repeat(10_000));
        assert!((10_000..10_200).contains(&typed(&long, 8)));
        assert_eq!(typed("", 8), own);
    }
}
