//! What is acknowledged can be read by every call that reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use pstate::schema::{Entity, NewerDocuments, Schema, string};
use pstate::{
    Adapter, Batch, BatchMode, Collection, ErrorKind, Expect, MemoryAdapter, PState, Space, Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

fn memory() -> PState {
    PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap()
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[tokio::test]
async fn every_writer_refuses_what_a_read_would_refuse() {
    let deep = format!(r#"{{"a":{}0{}}}"#, "[".repeat(127), "]".repeat(127));
    for (text, why) in [
        (r#"{"a":{"b":1,"b":2}}"#, "member `a.b`: it is written twice"),
        (r#"{"a":"\ud800"}"#, "member `a`: half of a surrogate pair is no text"),
        (deep.as_str(), "nested more than 127 levels deep"),
    ] {
        let pstate = memory();
        pstate.put("deck:1", &json!({})).await.unwrap();
        let document = raw(text);
        let results = [
            pstate.put("card:1", &document).await.map(|_| ()),
            pstate.put_at(1, "card:1", &document).await.map(|_| ()),
            pstate.multi_put([("card:1", &document)]).await,
            pstate.batch().put("card:1", &document).commit().await,
            pstate.batch().put_expecting("card:1", Expect::Absent, &document).commit().await,
            pstate.create_linked("deck:1", "cards", "card:1", &document).await,
            pstate.create_linked_many("deck:1", "cards", [("card:1", &document)]).await,
        ];
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.message().contains(why), "{error}");
            assert_eq!(error.key().unwrap().as_str(), "card:1");
        }
        assert!(pstate.get("card:1").await.unwrap().is_none());
        assert_eq!(pstate.get("deck:1").await.unwrap().unwrap().as_str(), "{}");
    }
}

#[tokio::test]
async fn numbers_that_json_cannot_hold_are_refused_by_member() {
    #[derive(Serialize, Deserialize, Clone)]
    struct Card {
        ease: f64,
        history: BTreeMap<String, f32>,
    }
    const CARDS: Collection<Card> = Collection::new("card");
    let pstate = memory();
    let card = Card { ease: f64::NAN, history: BTreeMap::new() };
    let error = CARDS.put(&pstate, "1", &card).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "put: card:1: member `ease`: NaN and infinity are no JSON numbers"
    );
    CARDS.put(&pstate, "1", &Card { ease: 1.0, ..card.clone() }).await.unwrap();
    let error = CARDS
        .update(&pstate, "1", |card| {
            card.history.insert("today".into(), f32::INFINITY);
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "update: card:1: member `history.today`: NaN and infinity are no JSON numbers"
    );
    assert!(CARDS.get(&pstate, "1").await.unwrap().unwrap().history.is_empty());
}

#[tokio::test]
async fn a_type_that_writes_a_member_twice_is_refused() {
    #[derive(Serialize)]
    struct Outer {
        name: u32,
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Serialize)]
    struct Inner {
        name: u32,
    }
    let outer = Outer { name: 1, inner: Inner { name: 2 } };
    let error = memory().put("card:1", &outer).await.unwrap_err();
    assert_eq!(error.to_string(), "put: card:1: member `name`: it is written twice");
}

#[tokio::test]
async fn a_migration_does_not_make_a_document_that_no_call_can_change() {
    let nest = |object: &mut pstate::Object| {
        let mut value = json!(1);
        for _ in 0..200 {
            value = json!([value]);
        }
        object.insert("a".into(), value);
        Ok(())
    };
    let schema = Schema::new([Entity::new("card", 2).step(1, 2, nest)]).unwrap();
    let error = schema.migrate("card", &json!({})).unwrap_err();
    assert_eq!(
        error.message(),
        "from version 0 to 2: after its migration: nested more than 127 levels deep"
    );
}

#[tokio::test]
async fn an_update_does_not_nest_deeper_than_a_read_can_follow() {
    let pstate = memory();
    pstate.put("card:1", &json!({})).await.unwrap();
    let nested = pstate.update("card:1", |card| {
        let mut value = json!(1);
        for _ in 0..127 {
            value = json!([value]);
        }
        card.insert("a".into(), value);
        Ok(())
    });
    assert_eq!(nested.await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(pstate.get("card:1").await.unwrap().unwrap().as_str(), "{}");
}

/// A store in which another program has put a text.
async fn stored(text: &str) -> Arc<MemoryAdapter> {
    let adapter = Arc::new(MemoryAdapter::new());
    let write = Write::put("card:1".parse().unwrap(), text.as_bytes());
    let batch = Batch { mode: BatchMode::Each, writes: vec![write] };
    adapter.write(&Space::default(), &batch).await.unwrap();
    adapter
}

#[tokio::test]
async fn what_other_programs_stored_is_read_and_edited_as_far_as_possible() {
    let adapter = stored(r#"{"a":1,"a":2,"b":{"c":1.0,"c":"x"}}"#).await;
    let pstate = PState::builder(adapter).build().unwrap();
    let card = pstate.get("card:1").await.unwrap().unwrap();
    assert_eq!(card.value().unwrap(), &json!({"a": 2, "b": {"c": "x"}}));
    let updated = pstate.update("card:1", |card| {
        card.insert("a".into(), json!(3));
        Ok(())
    });
    assert_eq!(updated.await.unwrap().unwrap().as_str(), r#"{"a":3,"b":{"c":1.0,"c":"x"}}"#);
}

#[tokio::test]
async fn a_newer_document_is_not_replaced_with_an_older_shape_by_any_writer() {
    let newer = r#"{"$v":3,"label":"x"}"#;
    let entity = || Entity::new("card", 2).field(string("name"));
    let down = entity().down(3, 2, |card| {
        let label = card.remove("label").unwrap_or_default();
        card.insert("name".into(), label);
        Ok(())
    });
    for entity in [entity(), down] {
        let schema = Schema::new([entity]).unwrap().newer_documents(NewerDocuments::Pass);
        let pstate = PState::builder(stored(newer).await).schema(schema).build().unwrap();
        let revision = pstate.get("card:1").await.unwrap().unwrap().revision();
        let expect = Expect::Revision(revision);
        let older = json!({"name": "y"});
        let results = [
            pstate.put("card:1", &older).await.map(|_| ()),
            pstate.multi_put([("card:1", &older)]).await,
            pstate.batch().put("card:1", &older).commit().await,
            pstate.batch().put_expecting("card:1", expect, &older).commit().await,
            pstate.update("card:1", |_| Ok(())).await.map(|_| ()),
        ];
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
            assert!(error.message().contains("newer than the schema's 2"), "{error}");
        }
        // What is gone is no longer in the way.
        pstate.delete("card:1").await.unwrap();
        pstate.put("card:1", &older).await.unwrap();
    }
}

#[tokio::test]
async fn a_document_is_stored_again_without_rounding() {
    let pstate = memory();
    let text = r#"{"z":0.30000000000000000001,"big":123456789012345678901,"a":1e3}"#;
    pstate.put("card:1", &raw(text)).await.unwrap();
    let card = pstate.get("card:1").await.unwrap().unwrap();
    pstate.put("card:2", &card).await.unwrap();
    assert_eq!(pstate.get("card:2").await.unwrap().unwrap().as_str(), text);
}
