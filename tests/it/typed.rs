//! Typed collections beside dynamic documents.

use futures_util::TryStreamExt;
use pstate::{Collection, ErrorKind, Ref};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::stores::on_each_store;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Card {
    front: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    deck: Ref<Deck>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Deck {
    name: String,
}

const CARDS: Collection<Card> = Collection::new("card");
const DECKS: Collection<Deck> = Collection::new("deck");

fn card(front: &str) -> Card {
    Card { front: front.into(), hint: Some("?".into()), deck: DECKS.reference("es").unwrap() }
}

on_each_store! {
    async fn what_is_stored_typed_is_read_dynamically_and_back(store: Store) {
        let pstate = store.plain();
        CARDS.put(&pstate, "1", &card("l'été")).await.unwrap();
        let document = pstate.get("card:1").await.unwrap().unwrap();
        assert_eq!(document.as_str(), r#"{"front":"l'été","hint":"?","deck":{"$ref":"deck:es"}}"#);
        assert_eq!(*CARDS.get(&pstate, "1").await.unwrap().unwrap(), card("l'été"));
        assert!(CARDS.get(&pstate, "2").await.unwrap().is_none());
    }

    async fn a_typed_update_keeps_members_that_the_type_does_not_know(store: Store) {
        let pstate = store.plain();
        let stored = json!({"front": "a", "hint": "x", "deck": {"$ref": "deck:es"}, "future": [1]});
        pstate.put("card:1", &stored).await.unwrap();
        CARDS.update(&pstate, "1", |card| {
            card.front = "b".into();
            card.hint = None;
            Ok(())
        }).await.unwrap();
        let document = pstate.get("card:1").await.unwrap().unwrap();
        assert_eq!(document.as_str(), r#"{"deck":{"$ref":"deck:es"},"front":"b","future":[1]}"#);
    }

    async fn a_typed_update_keeps_what_is_unknown_inside_of_members_that_it_leaves_alone(store: Store) {
        #[derive(Serialize, Deserialize)]
        struct Nested { front: String, meta: Meta }
        #[derive(Serialize, Deserialize)]
        struct Meta { a: i32 }
        const NESTED: Collection<Nested> = Collection::new("nested");
        let pstate = store.plain();
        pstate.put("nested:1", &json!({"front": "a", "meta": {"a": 1, "future": 2}})).await.unwrap();
        NESTED.update(&pstate, "1", |item| {
            item.front = "b".into();
            Ok(())
        }).await.unwrap();
        let document = pstate.get("nested:1").await.unwrap().unwrap();
        assert_eq!(document.as_str(), r#"{"front":"b","meta":{"a":1,"future":2}}"#);
    }

    async fn a_document_of_another_shape_is_an_error_that_names_the_field(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"hint": 1})).await.unwrap();
        let error = CARDS.get(&pstate, "1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        let text = error.to_string();
        assert!(text.starts_with("get: card:1: cannot be read as it::typed::Card: member `hint`: expected a string"), "{text}");
    }

    async fn many_are_put_read_scanned_and_deleted(store: Store) {
        let pstate = store.plain();
        CARDS.multi_put(&pstate, ["c", "a", "b"].map(|id| (id, card(id)))).await.unwrap();
        let read = CARDS.multi_get(&pstate, ["b", "x", "a"]).await.unwrap();
        let fronts: Vec<_> = read.iter().map(|card| card.as_ref().map(|card| &*card.front)).collect();
        assert_eq!(fronts, [Some("b"), None, Some("a")]);
        CARDS.delete(&pstate, "b").await.unwrap();
        let all: Vec<_> = CARDS.scan(&pstate).try_collect().await.unwrap();
        let ids: Vec<_> = all.iter().map(|(key, card)| (key.id(), &*card.front)).collect();
        assert_eq!(ids, [("a", "a"), ("c", "c")]);
    }

    async fn linked_documents_come_together_or_not_at_all(store: Store) {
        let pstate = store.plain();
        pstate.put("deck:es", &json!({"name": "Spanish", "cards": []})).await.unwrap();
        pstate.create_linked("deck:es", "cards", "card:1", &card("a")).await.unwrap();
        pstate.create_linked("deck:es", "cards", "card:2", &card("b")).await.unwrap();
        let loaded = pstate.preload("deck:es", "cards.deck").await.unwrap().unwrap();
        assert_eq!((loaded.follow(loaded.root(), "cards").unwrap().len(), loaded.len()), (2, 3));

        let again = pstate.create_linked("deck:es", "cards", "card:2", &card("c")).await.unwrap_err();
        assert_eq!(again.to_string(), "create_linked: card:2: exists already");
        let orphan = pstate.create_linked("deck:xx", "cards", "card:3", &card("d")).await.unwrap_err();
        assert_eq!(orphan.to_string(), "create_linked: deck:xx: the parent document does not exist");
        assert!(pstate.get("card:3").await.unwrap().is_none());
        let wrong = pstate.create_linked("deck:es", "name", "card:3", &card("d")).await.unwrap_err();
        assert_eq!(wrong.to_string(),
            "create_linked: deck:es: member `name` is not a collection of references, it holds a single value; nothing is stored");
    }

    async fn links_made_by_many_tasks_are_all_kept(store: Store) {
        let pstate = store.plain();
        pstate.put("deck:es", &json!({"name": "Spanish"})).await.unwrap();
        let tasks: Vec<_> = (0..24)
            .map(|at| {
                let pstate = pstate.clone();
                tokio::spawn(async move {
                    pstate.create_linked("deck:es", "cards", format!("card:{at}"), &card("x")).await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let loaded = pstate.preload("deck:es", "cards").await.unwrap().unwrap();
        assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 24);
    }

    async fn a_space_is_cleared_without_touching_the_others(store: Store) {
        let pstate = store.plain();
        let other = pstate.space("other").unwrap();
        for at in 0..600 {
            pstate.put(format!("card:{at}"), &json!({})).await.unwrap();
        }
        other.put("card:1", &json!({"mine": true})).await.unwrap();
        assert_eq!(pstate.clear_space().await.unwrap(), 600);
        assert!(pstate.get("card:1").await.unwrap().is_none());
        assert!(other.get("card:1").await.unwrap().is_some());
        assert_eq!(pstate.spaces().await.unwrap(), ["other".parse().unwrap()]);
    }

    async fn a_store_without_atomic_batches_gets_the_child_first(store: Store) {
        let pstate = pstate::PState::builder(std::sync::Arc::new(ByKey(store.adapter()))).build().unwrap();
        pstate.put("deck:es", &json!({"name": "Spanish"})).await.unwrap();
        pstate.create_linked("deck:es", "cards", "card:1", &card("a")).await.unwrap();
        let loaded = pstate.preload("deck:es", "cards").await.unwrap().unwrap();
        assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 1);
        let error = pstate.batch().put("a:1", &json!({})).put("a:2", &json!({})).commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(pstate.get("a:1").await.unwrap().is_none());
    }
}

/// Declares less than it can: single keys only, three at a time, 1,000 bytes each.
#[derive(Debug)]
pub(crate) struct ByKey(pub(crate) std::sync::Arc<dyn pstate::Adapter>);

#[async_trait::async_trait]
impl pstate::Adapter for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    fn capabilities(&self) -> pstate::Capabilities {
        let durability = self.0.capabilities().durability;
        pstate::Capabilities::new(pstate::Atomicity::Key, durability)
            .max_batch(std::num::NonZeroUsize::new(3).unwrap())
            .max_value_len(1_000)
    }

    fn extensions(&self) -> pstate::Extensions<'_> {
        self.0.extensions()
    }

    async fn multi_get(
        &self,
        space: &pstate::Space,
        keys: &[pstate::Key],
    ) -> pstate::Result<Vec<Option<pstate::Record>>> {
        assert!(keys.len() <= 3, "the handle splits what is longer than declared");
        self.0.multi_get(space, keys).await
    }

    async fn write(
        &self,
        space: &pstate::Space,
        batch: &pstate::Batch,
    ) -> pstate::Result<Vec<pstate::Outcome>> {
        assert!(batch.writes.len() <= 3, "the handle splits what is longer than declared");
        let fits = |write: &pstate::Write| match &write.change {
            pstate::Change::Put(bytes) => bytes.len() <= 1_000,
            pstate::Change::Delete => true,
        };
        assert!(batch.writes.iter().all(fits), "the handle refuses what is longer than declared");
        self.0.write(space, batch).await
    }

    async fn scan(
        &self,
        space: &pstate::Space,
        scan: &pstate::Scan,
    ) -> pstate::Result<pstate::Page> {
        self.0.scan(space, scan).await
    }

    async fn spaces(&self) -> pstate::Result<Vec<pstate::Space>> {
        self.0.spaces().await
    }

    async fn flush(&self) -> pstate::Result<()> {
        self.0.flush().await
    }

    async fn close(&self) -> pstate::Result<()> {
        self.0.close().await
    }
}
