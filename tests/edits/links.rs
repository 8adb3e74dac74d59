//! Links through the handle, where batches are atomic and where they are not.

use std::sync::Arc;

use pstate::{Adapter, ErrorKind, MemoryAdapter, PState};
use serde_json::{Value, json};

async fn decks(deck: Value) -> PState {
    let adapter: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    let pstate = PState::builder(adapter).build().unwrap();
    pstate.put("deck:es", &deck).await.unwrap();
    pstate
}

async fn text(pstate: &PState, key: &str) -> Option<String> {
    pstate.get(key).await.unwrap().map(|document| document.as_str().to_owned())
}

#[tokio::test]
async fn a_link_to_another_document_under_the_same_id_is_a_conflict_and_stores_nothing() {
    let before = json!({"cards": {"m": {"$ref": "card:m"}}});
    let pstate = decks(before.clone()).await;
    let error = pstate.create_linked("deck:es", "cards", "note:m", &json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "create_linked: note:m: `cards` holds a reference to another document under the id `m`; \
         nothing is stored"
    );
    let error = pstate.link("deck:es", "cards", ["note:m"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(text(&pstate, "deck:es").await.unwrap(), before.to_string());
    assert_eq!(text(&pstate, "note:m").await, None);
}

#[tokio::test]
async fn a_member_that_is_no_collection_is_left_alone_and_nothing_is_stored() {
    for cards in [json!({"m": {"front": "embedded"}}), json!({"plain": 1}), json!("x"), json!([1])]
    {
        let before = json!({"cards": cards});
        let pstate = decks(before.clone()).await;
        let create = pstate.create_linked("deck:es", "cards", "card:m", &json!({})).await;
        let many = pstate.create_linked_many("deck:es", "cards", [("card:m", json!({}))]).await;
        let link = pstate.link("deck:es", "cards", ["card:m"]).await;
        let unlink = pstate.unlink("deck:es", "cards", ["card:m"]).await.map(|_| ());
        for result in [create, many, link, unlink] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(text(&pstate, "deck:es").await.unwrap(), before.to_string());
        assert_eq!(text(&pstate, "card:m").await, None);
    }
}

#[tokio::test]
async fn links_stand_in_the_order_in_which_they_were_made() {
    let pstate = decks(json!({})).await;
    for id in ["z", "b", "m"] {
        pstate.create_linked("deck:es", "cards", format!("card:{id}"), &json!({})).await.unwrap();
    }
    let more = ["y", "a"].map(|id| (format!("card:{id}"), json!({})));
    pstate.create_linked_many("deck:es", "cards", more).await.unwrap();
    let loaded = pstate.preload("deck:es", "cards").await.unwrap().unwrap();
    let followed = loaded.follow(loaded.root(), "cards").unwrap();
    let keys: Vec<_> = followed.map(|card| card.key().as_str()).collect();
    assert_eq!(keys, ["card:z", "card:b", "card:m", "card:y", "card:a"]);

    assert_eq!(pstate.unlink("deck:es", "cards", ["card:b", "card:y", "card:x"]).await.unwrap(), 2);
    let loaded = pstate.preload("deck:es", "cards").await.unwrap().unwrap();
    let followed = loaded.follow(loaded.root(), "cards").unwrap();
    let keys: Vec<_> = followed.map(|card| card.key().as_str()).collect();
    assert_eq!(keys, ["card:z", "card:m", "card:a"]);
    // The documents stay.
    assert!(text(&pstate, "card:b").await.is_some());
    assert_eq!(pstate.unlink("deck:xx", "cards", ["card:b"]).await.unwrap(), 0);
}

#[tokio::test]
async fn of_many_children_all_are_created_and_linked_or_none() {
    let pstate = decks(json!({})).await;
    pstate.put("card:3", &json!({"old": 1})).await.unwrap();
    let children = (0..5).map(|n| (format!("card:{n}"), json!({})));
    let error = pstate.create_linked_many("deck:es", "cards", children).await.unwrap_err();
    assert_eq!(error.to_string(), "create_linked_many: card:3: exists already");
    assert_eq!(text(&pstate, "card:0").await, None);
    assert_eq!(text(&pstate, "deck:es").await.unwrap(), "{}");
    let children = (10..3_010).map(|n| (format!("card:{n}"), json!({"n": n})));
    pstate.create_linked_many("deck:es", "cards", children).await.unwrap();
    let loaded = pstate.preload("deck:es", "cards").await.unwrap().unwrap();
    assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 3_000);
}
