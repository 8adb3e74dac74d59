//! Random documents, and random edits by every call that edits.

use std::sync::Arc;

use proptest::prelude::*;
use pstate::schema::{Entity, Schema};
use pstate::{
    Adapter, Batch, BatchMode, Collection, Document, MemoryAdapter, PState, Space, Write,
};
use serde::{Deserialize, Serialize};

use crate::tree::{Change, Node, Step, change_tree, leaf, members, node};

/// What another program has stored, edited through a handle.
fn edited(
    text: &str,
    edit: impl AsyncFnOnce(&PState) -> pstate::Result<Option<Document>>,
) -> String {
    // One for each document: the tasks of a handle end with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let adapter = Arc::new(MemoryAdapter::new());
        let write = Write::put("doc:1".parse().unwrap(), text.as_bytes());
        let batch = Batch { mode: BatchMode::Each, writes: vec![write] };
        adapter.write(&Space::default(), &batch).await.unwrap();
        let pstate = PState::builder(adapter).build().unwrap();
        let document = edit(&pstate).await.unwrap().unwrap();
        assert_eq!(pstate.get("doc:1").await.unwrap().unwrap().as_str(), document.as_str());
        document.as_str().to_owned()
    })
}

const SPACES: [&str; 3] = ["", " ", "\n\t"];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![Just(Change::Replace), Just(Change::Remove), Just(Change::Add)]
}

/// A document, a place in it, a change that can be made there, and the whitespace to write it in.
fn edit() -> impl Strategy<Value = (Node, Vec<Step>, Change, &'static str)> {
    let document = members(node()).prop_map(Node::Object);
    let space = proptest::sample::select(&SPACES[..]);
    (document, any::<proptest::sample::Index>(), change(), space).prop_filter_map(
        "no place for the change",
        |(document, at, change, space)| {
            let mut places = document.places();
            places.retain(|place| document.allows(place, change));
            (!places.is_empty()).then(|| {
                let place = at.get(&places).clone();
                (document, place, change, space)
            })
        },
    )
}

#[derive(Debug, Serialize, Deserialize)]
struct Deck {
    name: String,
    meta: Meta,
    items: Vec<Item>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    level: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    id: String,
    done: bool,
}

const DECKS: Collection<Deck> = Collection::new("doc");

/// Members that the type does not know, around those that it knows.
fn with_unknown(
    known: Vec<(&'static str, Node)>,
) -> impl Strategy<Value = (Vec<(&'static str, Node)>, usize)> {
    let names = proptest::sample::subsequence(vec!["u1", "u2", "u3"], 0..3);
    (names, proptest::collection::vec(node(), 3), 0..3_usize).prop_map(
        move |(names, values, before)| {
            let unknown: Vec<_> = names.into_iter().zip(values).collect();
            let before = before.min(unknown.len());
            let (front, back) = unknown.split_at(before);
            ([front, &known, back].concat(), before)
        },
    )
}

/// A deck as text, and where its known members stand.
fn deck() -> impl Strategy<Value = (Node, [usize; 3])> {
    let item =
        |id: &'static str| with_unknown(vec![("id", Node::Raw(id)), ("done", Node::Raw("false"))]);
    let items = (item("\"p\""), item("\"q\""), item("\"r\""));
    let meta = with_unknown(vec![("level", Node::Raw("1"))]);
    (meta, items).prop_flat_map(|((meta, level), ((p, at_p), (q, _), (r, _)))| {
        let items = [p, q, r].map(Node::Object).to_vec();
        let known = vec![
            ("name", Node::Raw("\"old\"")),
            ("meta", Node::Object(meta)),
            ("items", Node::Array(items)),
        ];
        with_unknown(known)
            .prop_map(move |(members, name)| (Node::Object(members), [name, level, at_p + 1]))
    })
}

proptest! {
    #[test]
    fn an_update_changes_only_what_it_edits((document, place, change, space) in edit()) {
        let text = document.text(space);
        let expected = document.clone().changed(&place, change).text(space);
        let edited = edited(&text, async |pstate| {
            pstate
                .update("doc:1", |object| {
                    change_tree(&document, object, &place, change);
                    Ok(())
                })
                .await
        });
        prop_assert_eq!(edited, expected);
    }

    #[test]
    fn a_migration_step_changes_only_what_it_edits((document, place, change, space) in edit()) {
        let text = document.text(space);
        let expected = document.clone().changed(&place, change).text(space);
        let step = move |object: &mut pstate::Object| {
            change_tree(&document, object, &place, change);
            Ok(())
        };
        let schema = Schema::new([Entity::new("doc", 2).step(1, 2, step)]).unwrap();
        let migrated = schema.migrate_text("doc", &text).unwrap();
        let rest = migrated.strip_prefix(r#"{"$v":2"#).unwrap();
        prop_assert_eq!(format!("{{{}", rest.strip_prefix(',').unwrap_or(rest)), expected);
    }

    #[test]
    fn a_typed_update_changes_only_what_it_edits(
        (document, [name, level, done]) in deck(),
        space in proptest::sample::select(&SPACES[..]),
        which in 0..4,
    ) {
        let text = document.text(space);
        let (meta, items) = (Step::Member(name + 1), Step::Member(name + 2));
        let place = match which {
            0 => vec![Step::Member(name)],
            1 => vec![meta, Step::Member(level)],
            2 => vec![items, Step::Item(0), Step::Member(done)],
            _ => vec![items, Step::Item(1)],
        };
        let change = if which == 3 { Change::Remove } else { Change::Replace };
        let expected = document.changed(&place, change).text(space);
        let expected = match which {
            0 => expected.replace("\"replaced\"", "\"new\""),
            1 => expected.replace("\"replaced\"", "2"),
            _ => expected.replace("\"replaced\"", "true"),
        };
        let edited = edited(&text, async |pstate| {
            DECKS
                .update(pstate, "1", |deck| {
                    match which {
                        0 => deck.name = "new".into(),
                        1 => deck.meta.level = 2,
                        2 => deck.items[0].done = true,
                        _ => _ = deck.items.remove(1),
                    }
                    Ok(())
                })
                .await
        });
        prop_assert_eq!(edited, expected);
    }

    #[test]
    fn links_change_only_their_collection(
        before in members(node()),
        extra in leaf(),
        space in proptest::sample::select(&SPACES[..]),
    ) {
        let mut document = before;
        let reference = Node::Object(vec![("$ref", Node::Raw("\"card:p\"")), ("u", extra)]);
        document.push(("cards", Node::Object(vec![("p", reference)])));
        let text = Node::Object(document.clone()).text(space);
        let linked = edited(&text, async |pstate| {
            pstate.link("doc:1", "cards", ["card:q", "card:p"]).await?;
            pstate.get("doc:1").await
        });
        let at = text.rfind('}').unwrap();
        let at = text[..at].rfind('}').unwrap();
        let at = text[..at].rfind('}').unwrap() + 1;
        let expected =
            format!(r#"{},"q":{{"$ref":"card:q"}}{}"#, &text[..at], &text[at..]);
        prop_assert_eq!(&linked, &expected);
        let unlinked = edited(&linked, async |pstate| {
            assert_eq!(pstate.unlink("doc:1", "cards", ["card:q"]).await?, 1);
            pstate.get("doc:1").await
        });
        prop_assert_eq!(unlinked, text);
    }
}
