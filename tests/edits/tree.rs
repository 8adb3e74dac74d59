//! Documents with odd texts, and edits of which the resulting text is known.

use proptest::prelude::*;
use pstate::Object;
use serde_json::{Value, json};

/// A JSON value that knows its text.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Raw(&'static str),
    Array(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
    /// A container that has lost its last element, with the whitespace that was around it.
    Emptied(&'static str, &'static str),
}

/// Numbers with more digits than a double has, in forms that a tree does not keep, and escapes.
const LEAVES: [&str; 14] = [
    "0.30000000000000000001",
    "123456789012345678901",
    "12.50",
    "1e3",
    "-0.0",
    "1E+2",
    "0",
    "-7",
    "true",
    "null",
    r#""a\u0041\/""#,
    r#""ü""#,
    "2.5e-3",
    "18446744073709551616",
];

const NAMES: [&str; 9] = ["z", "b", "a", "id", "n", "\\u0061b", "long name", "m", "x"];

pub(crate) fn leaf() -> impl Strategy<Value = Node> {
    proptest::sample::select(&LEAVES[..]).prop_map(Node::Raw)
}

/// Any value, a few levels deep.
pub(crate) fn node() -> impl Strategy<Value = Node> {
    leaf().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Node::Array),
            members(inner).prop_map(Node::Object),
        ]
    })
}

/// Members in any order; sometimes the first is written a second time.
pub(crate) fn members(
    inner: impl Strategy<Value = Node>,
) -> impl Strategy<Value = Vec<(&'static str, Node)>> {
    let names = proptest::sample::subsequence(&NAMES[..], 0..5).prop_shuffle();
    (names, proptest::collection::vec(inner, 5), leaf(), any::<u8>()).prop_map(
        |(names, values, again, odds)| {
            let mut members: Vec<_> = names.into_iter().zip(values).collect();
            if odds < 40
                && let Some((name, _)) = members.last()
            {
                members.insert(0, (*name, again));
            }
            members
        },
    )
}

/// A step from a value to one in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// The member at this place.
    Member(usize),
    Item(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Replace,
    Remove,
    Add,
}

/// What an edit puts into a document.
const MARK: &str = "424242";

impl Node {
    /// The text, with this whitespace before each element and behind the last.
    pub(crate) fn text(&self, space: &str) -> String {
        // An added element stands behind its comma at once.
        let is_added = |element: &str| element == MARK || element == format!("\"new\":{MARK}");
        let join = |open: char, elements: Vec<String>, close: char| match &*elements {
            [] => format!("{open}{close}"),
            [only] if is_added(only) => format!("{open}{only}{close}"),
            elements => {
                let joined = elements.iter().enumerate().map(|(at, element)| {
                    let comma = if at == 0 { "" } else { "," };
                    let space = if is_added(element) { "" } else { space };
                    format!("{comma}{space}{element}")
                });
                format!("{open}{}{space}{close}", joined.collect::<String>())
            }
        };
        match self {
            Self::Raw(text) => (*text).to_owned(),
            Self::Array(items) => {
                join('[', items.iter().map(|item| item.text(space)).collect(), ']')
            }
            Self::Object(members) => {
                let member =
                    |(name, value): &(&str, Self)| format!("\"{name}\":{}", value.text(space));
                join('{', members.iter().map(member).collect(), '}')
            }
            Self::Emptied(open, close) => format!("{open}{space}{space}{close}"),
        }
    }

    /// All places in it, by the steps that lead there.
    pub(crate) fn places(&self) -> Vec<Vec<Step>> {
        let mut places = vec![Vec::new()];
        let mut add = |step, inner: &Self| {
            for mut place in inner.places() {
                place.insert(0, step);
                places.push(place);
            }
        };
        match self {
            Self::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| add(Step::Item(at), item));
            }
            Self::Object(members) => members.iter().enumerate().for_each(|(at, (name, value))| {
                // Of a member that is written twice only the last one is seen.
                if members[at + 1..].iter().all(|(other, _)| other != name) {
                    add(Step::Member(at), value);
                }
            }),
            Self::Raw(_) | Self::Emptied(..) => {}
        }
        places
    }

    pub(crate) fn at(&self, place: &[Step]) -> &Self {
        match (place.first(), self) {
            (None, _) => self,
            (Some(Step::Item(at)), Self::Array(items)) => items[*at].at(&place[1..]),
            (Some(Step::Member(at)), Self::Object(members)) => members[*at].1.at(&place[1..]),
            _ => unreachable!(),
        }
    }

    /// Whether the change can be made at this place.
    pub(crate) fn allows(&self, place: &[Step], change: Change) -> bool {
        match change {
            Change::Replace => !place.is_empty(),
            // Of items that are equal as values it cannot be said which one has gone.
            Change::Remove => match place.split_last() {
                None => false,
                Some((Step::Member(_), _)) => true,
                Some((Step::Item(_), list)) => match self.at(list) {
                    Self::Array(items) => {
                        let values: Vec<Value> = items.iter().map(Self::value).collect();
                        (1..values.len()).all(|at| !values[..at].contains(&values[at]))
                    }
                    _ => unreachable!(),
                },
            },
            Change::Add => !matches!(self.at(place), Self::Raw(_)),
        }
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text("")).unwrap()
    }

    /// The value after the change.
    pub(crate) fn changed(mut self, place: &[Step], change: Change) -> Self {
        self.change(place, change);
        self
    }

    fn change(&mut self, place: &[Step], change: Change) {
        let Some((first, rest)) = place.split_first() else {
            match (change, &mut *self) {
                (Change::Add, Self::Array(items)) => items.push(Self::Raw(MARK)),
                (Change::Add, Self::Object(members)) => members.push(("new", Self::Raw(MARK))),
                _ => *self = Self::Raw("\"replaced\""),
            }
            return;
        };
        let removes = matches!(change, Change::Remove) && rest.is_empty();
        match (first, &mut *self) {
            (Step::Item(at), Self::Array(items)) => {
                if removes {
                    items.remove(*at);
                    if items.is_empty() {
                        *self = Self::Emptied("[", "]");
                    }
                } else {
                    items[*at].change(rest, change);
                }
            }
            (Step::Member(at), Self::Object(members)) => {
                let name = members[*at].0;
                if removes {
                    members.retain(|(other, _)| *other != name);
                    if members.is_empty() {
                        *self = Self::Emptied("{", "}");
                    }
                } else {
                    members[*at].1.change(rest, change);
                    // The member is written once from now on.
                    let last = members.iter().rposition(|(other, _)| *other == name);
                    let mut place = 0;
                    members.retain(|(other, _)| {
                        place += 1;
                        *other != name || Some(place - 1) == last
                    });
                }
            }
            _ => unreachable!(),
        }
    }
}

/// The same change to a tree of the document.
pub(crate) fn change_tree(document: &Node, object: &mut Object, place: &[Step], change: Change) {
    let mut node = document;
    let (path, last) = match change {
        Change::Remove => (&place[..place.len() - 1], place.last()),
        _ => (place, None),
    };
    if path.is_empty() {
        match (last, change) {
            (Some(Step::Member(at)), _) => _ = object.remove(&node.name(*at)),
            (_, Change::Add) => _ = object.insert("new".into(), json!(424_242)),
            _ => unreachable!(),
        }
        return;
    }
    let Step::Member(at) = path[0] else { unreachable!() };
    let mut value = object.get_mut(&node.name(at)).unwrap();
    node = node.at(&path[..1]);
    for step in &path[1..] {
        value = match step {
            Step::Item(at) => &mut value[*at],
            Step::Member(at) => value.get_mut(node.name(*at)).unwrap(),
        };
        node = node.at(std::slice::from_ref(step));
    }
    match (last, change, &mut *value) {
        (Some(Step::Member(at)), _, Value::Object(members)) => _ = members.remove(&node.name(*at)),
        (Some(Step::Item(at)), _, Value::Array(items)) => _ = items.remove(*at),
        (_, Change::Add, Value::Object(members)) => {
            members.insert("new".into(), json!(424_242));
        }
        (_, Change::Add, Value::Array(items)) => items.push(json!(424_242)),
        (_, _, value) => *value = json!("replaced"),
    }
}

impl Node {
    /// The name of a member, without escapes.
    fn name(&self, at: usize) -> String {
        let Self::Object(members) = self else { unreachable!() };
        serde_json::from_str(&format!("\"{}\"", members[at].0)).unwrap()
    }
}
