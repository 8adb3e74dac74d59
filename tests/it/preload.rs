//! Following references.

mod unchanged;

use std::collections::BTreeMap;

use pstate::schema::{Entity, has_many};
use pstate::{
    Batch, Collection, Comparison, Error, ErrorKind, Filter, Order, PState, Path, Preload, Ref,
    Schema, Space, Warm, Write,
};
use pstate_testkit::Call;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::stores::{deck_of, on_each_store};

/// A deck of five cards, ranked 3 1 4 1 5, of which one has no rank.
async fn ranked(pstate: &PState) {
    let mut refs = Vec::new();
    for (id, rank) in
        [("a", json!(3)), ("b", json!(1)), ("c", json!(null)), ("d", json!(4)), ("e", json!(1))]
    {
        let card = json!({"rank": rank, "lang": if id < "c" { "es" } else { "fr" }});
        pstate.put(format!("card:{id}"), &card).await.unwrap();
        refs.push(json!({ "$ref": format!("card:{id}") }));
    }
    pstate.put("deck:1", &json!({"cards": refs})).await.unwrap();
    pstate.put("deck:2", &json!({"cards": refs[2..]})).await.unwrap();
    let decks = json!([{"$ref": "deck:1"}, {"$ref": "deck:2"}]);
    pstate.put("shelf:1", &json!({"decks": decks})).await.unwrap();
}

async fn chosen(pstate: &PState, preload: &str) -> String {
    let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
    let cards = loaded.follow(loaded.root(), "cards").unwrap();
    cards.map(|card| card.key().id()).collect()
}

on_each_store! {
    async fn references_are_followed_in_the_order_in_which_they_are_written(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        assert_eq!(chosen(&pstate, "cards").await, "abcde");
    }

    async fn limit_filter_and_order_choose_among_the_references_of_each_document(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        assert_eq!(chosen(&pstate, "cards(limit: 2)").await, "ab");
        assert_eq!(chosen(&pstate, "cards(order_by: rank)").await, "beadc");
        assert_eq!(chosen(&pstate, "cards(order_by: -rank)").await, "dabec");
        assert_eq!(chosen(&pstate, "cards(order_by: -rank, limit: 2)").await, "da");
        assert_eq!(chosen(&pstate, "cards(filter: rank > 1)").await, "ad");
        assert_eq!(chosen(&pstate, "cards(filter: rank = null)").await, "c");
        assert_eq!(chosen(&pstate, r#"cards(filter: lang != "es", filter: rank = 1)"#).await, "e");

        let shelf = pstate.preload("shelf:1", "decks.cards(limit: 1)").await.unwrap().unwrap();
        let firsts: Vec<_> = shelf
            .follow(shelf.root(), "decks")
            .unwrap()
            .map(|deck| shelf.follow(deck, "cards").unwrap().next().unwrap().key().to_string())
            .collect();
        assert_eq!(firsts, ["card:a", "card:c"]);
    }

    async fn a_limit_alone_keeps_documents_from_being_read(store: Store) {
        ranked(&store.plain()).await;
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        pstate.preload("deck:1", "cards(limit: 2)").await.unwrap();
        assert_eq!(counting.take().keys_read, 3);
    }

    async fn a_preload_built_in_code_can_ask_a_closure(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        let cards = Path::new("cards")
            .filter(Filter::closure(|card| card.key().id() < "d"))
            .filter(Filter::field("rank", Comparison::NotEqual, 1))
            .order_by(Order::descending("rank"));
        let loaded = pstate.preload("deck:1", Preload::new().path(cards)).await.unwrap().unwrap();
        let ids: String =
            loaded.follow(loaded.root(), "cards").unwrap().map(|card| card.key().id()).collect();
        assert_eq!(ids, "ac");
    }

    async fn fields_side_by_side_share_the_reads_of_their_level(store: Store) {
        let plain = store.plain();
        ranked(&plain).await;
        plain.update("deck:1", |deck| {
            deck.insert("owner".into(), json!({"$ref": "user:1"}));
            Ok(())
        }).await.unwrap();
        plain.put("user:1", &json!({"friends": []})).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let loaded = pstate.preload("deck:1", "cards, owner.friends").await.unwrap().unwrap();
        assert_eq!((counting.take().reads, loaded.len()), (2, 7));
    }

    async fn a_reference_may_have_other_members_in_any_order(store: Store) {
        let pstate = store.plain();
        pstate.put("user:1", &json!({})).await.unwrap();
        let owner: serde_json::Value = json!({"name": "Ana", "$ref": "user:1", "since": [2019]});
        pstate.put("deck:1", &json!({ "owner": owner })).await.unwrap();
        let write = Write::put(
            "deck:2".parse().unwrap(),
            *br#"{"owner":{"name":"Ana","$ref":"user:1"}}"#,
        );
        store.adapter().write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
        for deck in ["deck:1", "deck:2"] {
            assert_eq!(pstate.preload(deck, "owner").await.unwrap().unwrap().len(), 2);
        }
    }

    async fn recursion_goes_as_deep_as_it_is_allowed(store: Store) {
        let pstate = store.plain();
        for id in 0..10 {
            let folder = json!({"parent": {"$ref": format!("folder:{}", id + 1)}});
            pstate.put(format!("folder:{id}"), &folder).await.unwrap();
        }
        pstate.put("folder:10", &json!({})).await.unwrap();
        let deep = async |preload| pstate.preload("folder:0", preload).await.unwrap().unwrap();
        assert_eq!(deep("parent").await.len(), 2);
        assert_eq!(deep("parent*3").await.len(), 4);
        assert_eq!(deep("parent*").await.len(), 11);
        assert_eq!(deep("parent*").await.levels(), 11);
    }

    async fn a_field_that_repeats_and_is_asked_for_below_itself_is_followed_by_both(store: Store) {
        let pstate = store.plain();
        for id in 0..6 {
            let folder = json!({"parent": {"$ref": format!("folder:{}", id + 1)}});
            pstate.put(format!("folder:{id}"), &folder).await.unwrap();
        }
        let loaded = pstate.preload("folder:0", "parent*3.parent").await.unwrap().unwrap();
        assert_eq!(loaded.len(), 5);
    }

    async fn a_document_reached_again_with_more_to_go_is_followed_further(store: Store) {
        let pstate = store.plain();
        let links = [("r", "a", "d1"), ("d1", "a", "d2"), ("y", "b", "z"), ("d2", "b", "z"),
                     ("z", "b", "w"), ("w", "b", "v")];
        for (from, field, to) in links {
            let mut node = pstate.get(format!("n:{from}")).await.unwrap()
                .map_or(json!({}), |node| node.value().unwrap().clone());
            node[field] = json!({ "$ref": format!("n:{to}") });
            pstate.put(format!("n:{from}"), &node).await.unwrap();
        }
        pstate.update("n:d1", |node| {
            node.insert("b".into(), json!({"$ref": "n:y"}));
            Ok(())
        }).await.unwrap();
        pstate.put("n:v", &json!({})).await.unwrap();
        let loaded = pstate.preload("n:r", "a*2.b*3").await.unwrap().unwrap();
        assert!(loaded.get(&"n:v".parse().unwrap()).is_some());
    }

    async fn order_is_the_same_whichever_two_numbers_are_compared(store: Store) {
        let pstate = store.plain();
        let numbers = [json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992.0),
                       json!(9_007_199_254_740_992_i64), json!(-0.5), json!(u64::MAX), json!(1e300)];
        let mut refs = Vec::new();
        for at in 0..60 {
            pstate.put(format!("n:{at:02}"), &json!({ "rank": numbers[at % 6] })).await.unwrap();
            refs.push(json!({ "$ref": format!("n:{at:02}") }));
        }
        pstate.put("all:1", &json!({ "n": refs })).await.unwrap();
        let loaded = pstate.preload("all:1", "n(order_by: rank)").await.unwrap().unwrap();
        let order: Vec<usize> = loaded.follow(loaded.root(), "n").unwrap()
            .map(|node| node.key().id().parse::<usize>().unwrap() % 6)
            .collect();
        let mut expected = vec![3; 10];
        expected.extend((0..20).map(|at| if at % 2 == 0 { 1 } else { 2 }));
        expected.extend([[0; 10], [4; 10], [5; 10]].concat());
        assert_eq!(order, expected);
    }

    async fn a_resolved_graph_is_as_deep_as_is_asked_for_and_no_deeper_than_it_is(store: Store) {
        let pstate = store.plain();
        pstate.put("node:a", &json!({"next": {"$ref": "node:b"}})).await.unwrap();
        pstate.put("node:b", &json!({"next": {"$ref": "node:c"}, "n": 1})).await.unwrap();
        let one = pstate.get_resolved("node:a", 1).await.unwrap().unwrap();
        assert_eq!(*one, json!({"next": {"next": {"$ref": "node:c"}, "n": 1}}));
        let all = pstate.get_resolved("node:a", usize::MAX).await.unwrap().unwrap();
        assert_eq!(*all, *one);
        assert!(pstate.get_resolved("node:404", 1).await.unwrap().is_none());
    }

    async fn cycles_end(store: Store) {
        let pstate = store.plain();
        pstate.put("node:a", &json!({"next": {"$ref": "node:b"}})).await.unwrap();
        pstate.put("node:b", &json!({"next": {"$ref": "node:a"}})).await.unwrap();
        pstate.put("node:c", &json!({"next": {"$ref": "node:c"}})).await.unwrap();
        let loaded = pstate.preload("node:a", "next*1000").await.unwrap().unwrap();
        assert_eq!(loaded.len(), 2);
        let back = loaded.follow(loaded.get(&"node:b".parse().unwrap()).unwrap(), "next").unwrap();
        assert_eq!(back.map(|node| node.key().as_str()).collect::<Vec<_>>(), ["node:a"]);
        assert_eq!(pstate.preload("node:c", "next*1000").await.unwrap().unwrap().len(), 1);
    }

    async fn dangling_references_are_reported_with_their_place(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        pstate.delete("card:b").await.unwrap();
        let loaded = pstate.preload("deck:1", "cards").await.unwrap().unwrap();
        assert_eq!(loaded.dangling().len(), 1);
        let dangling = &loaded.dangling()[0];
        let (from, to) = (dangling.from.as_str(), dangling.to.as_str());
        assert_eq!((from, dangling.field.as_str(), to), ("deck:1", "cards", "card:b"));
        assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 4);
    }

    async fn what_was_loaded_is_there_even_if_the_cache_holds_nothing(store: Store) {
        deck_of(50).store(&store.plain()).await.unwrap();
        let pstate = store.builder().cache_bytes(0).build().unwrap();
        let loaded = pstate.preload("base_deck:spanish", "cards.translations").await.unwrap().unwrap();
        let mut texts = 0;
        for card in loaded.follow(loaded.root(), "cards").unwrap() {
            texts += loaded.follow(card, "translations").unwrap().len();
        }
        assert_eq!(texts, 150);
    }

    async fn a_preload_of_nothing_is_the_root_and_of_a_missing_root_none(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        assert_eq!(pstate.preload("deck:1", Preload::new()).await.unwrap().unwrap().len(), 1);
        assert!(pstate.preload("deck:404", "cards").await.unwrap().is_none());
    }

    async fn an_unreadable_document_fails_the_preload_or_is_listed(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        let write = Write::put("card:b".parse().unwrap(), *b"[]");
        store.adapter().write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
        let fresh = store.plain();
        let error = fresh.preload("deck:1", "cards").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "preload: card:b: a document is a JSON object, this is an array (path `cards` from deck:1)"
        );
        let preload = "cards".parse::<Preload>().unwrap().keep_going();
        let loaded = fresh.preload("deck:1", preload).await.unwrap().unwrap();
        assert_eq!((loaded.failures().len(), loaded.dangling().len(), loaded.len()), (1, 0, 5));
    }
    async fn a_failed_read_is_listed_for_each_document_that_it_was_for(store: Store) {
        ranked(&store.plain()).await;
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        pstate.get("deck:2").await.unwrap();
        faults.fail(Call::Read, Error::new(ErrorKind::Unavailable, "gone"));
        let preload = "cards".parse::<Preload>().unwrap().keep_going();
        let loaded = pstate.preload("deck:2", preload).await.unwrap().unwrap();
        let failures: Vec<_> = loaded.failures().iter().map(ToString::to_string).collect();
        let expected = ["c", "d", "e"].map(|id| format!("preload: card:{id}: gone (path `cards` from deck:2)"));
        assert_eq!((failures, loaded.dangling().len()), (expected.to_vec(), 0));
    }

    async fn a_null_in_a_collection_refers_to_nothing(store: Store) {
        #[derive(Debug, Serialize, Deserialize)]
        struct Card { n: u32 }
        #[derive(Debug, Serialize, Deserialize)]
        struct Deck {
            cards: Vec<Option<Ref<Card>>>,
            by_lang: BTreeMap<String, Option<Ref<Card>>>,
        }
        const DECKS: Collection<Deck> = Collection::new("deck");
        let schema = Schema::new([
            Entity::new("deck", 1)
                .field(has_many("cards", "card").required())
                .field(has_many("by_lang", "card")),
            Entity::new("card", 1),
        ]).unwrap();
        let card = Ref::<Card>::new("card:1".parse().unwrap());
        let deck = Deck {
            cards: vec![None, Some(card.clone()), None],
            by_lang: BTreeMap::from([("es".to_owned(), Some(card)), ("fr".to_owned(), None)]),
        };
        for pstate in [store.plain(), store.builder().schema(schema).build().unwrap()] {
            DECKS.put(&pstate, "1", &deck).await.unwrap();
            pstate.put("card:1", &json!({"n": 1})).await.unwrap();
            for preload in ["cards, by_lang", "cards(filter: n = 1), by_lang(order_by: n)"] {
                let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
                for field in ["cards", "by_lang"] {
                    assert_eq!(loaded.follow(loaded.root(), field).unwrap().len(), 1);
                }
                assert_eq!((loaded.len(), loaded.dangling().len()), (2, 0));
            }
            let resolved = pstate.get_resolved("deck:1", 1).await.unwrap().unwrap();
            assert_eq!(resolved["cards"][0], json!(null));
            assert_eq!(resolved["cards"][1]["n"], json!(1));
            assert_eq!(resolved["by_lang"]["fr"], json!(null));
            let references = pstate.get("deck:1").await.unwrap().unwrap().references("cards");
            assert_eq!(references.unwrap().len(), 1);
        }
    }

    async fn a_field_without_references_is_invalid_input_that_names_its_kind(store: Store) {
        let pstate = store.plain();
        pstate.put("user:1", &json!({"name": "hunter2"})).await.unwrap();
        pstate.put("deck:1", &json!({
            "name": "hunter2", "size": 7, "open": true, "tags": ["hunter2"],
            "style": {"color": "hunter2"}, "owner": {"$ref": "user:1"},
        })).await.unwrap();
        for (field, kind) in [
            ("name", "a string"), ("size", "a number"), ("open", "a boolean"),
            ("tags", "an array without references"), ("style", "an object without references"),
        ] {
            let error = pstate.preload("deck:1", field).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(
                error.to_string(),
                format!("preload: deck:1: field `{field}`: expected a reference or a collection of \
                         references, found {kind}")
            );
            let error = pstate.get("deck:1").await.unwrap().unwrap().references(field).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidInput, Some("references")));
        }
        let error = pstate.preload("deck:1", "owner.name").await.unwrap_err();
        assert_eq!((error.kind(), error.key().unwrap().as_str()), (ErrorKind::InvalidInput, "user:1"));
        // What can be followed is followed.
        let preload = "name, owner".parse::<Preload>().unwrap().keep_going();
        let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
        assert_eq!((loaded.len(), loaded.failures().len()), (2, 1));
        assert_eq!(loaded.failures()[0].kind(), ErrorKind::InvalidInput);
    }

    async fn a_malformed_reference_is_a_failure_of_its_document(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({})).await.unwrap();
        let cards = json!([{"$ref": "card:1"}, {"$ref": "hunter2"}]);
        pstate.put("deck:1", &json!({ "cards": cards })).await.unwrap();
        let error = pstate.preload("deck:1", "cards").await.unwrap_err();
        assert_eq!((error.kind(), error.key().unwrap().as_str()), (ErrorKind::Corrupt, "deck:1"));
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let preload = "cards".parse::<Preload>().unwrap().keep_going();
        let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
        assert_eq!((loaded.failures().len(), loaded.failures()[0].kind()), (1, ErrorKind::Corrupt));
        assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 1);
    }

    async fn an_unreadable_candidate_does_not_hide_those_that_can_be_filtered_and_ordered(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        let write = Write::put("card:b".parse().unwrap(), *br#"{"rank":1e999}"#);
        store.adapter().write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
        for (options, chosen) in [
            ("filter: rank > 1", "ad"), ("order_by: -rank", "daec"),
            ("filter: rank >= 1, order_by: rank, limit: 2", "ea"),
        ] {
            let preload: Preload = format!("cards({options})").parse().unwrap();
            let error = store.plain().preload("deck:1", &preload).await.unwrap_err();
            assert_eq!((error.kind(), error.key().unwrap().as_str()), (ErrorKind::Corrupt, "card:b"));
            let loaded = store.plain().preload("deck:1", preload.keep_going()).await.unwrap().unwrap();
            let cards = loaded.follow(loaded.root(), "cards").unwrap();
            assert_eq!(cards.map(|card| card.key().id()).collect::<String>(), chosen);
            let [failure] = loaded.failures() else { panic!("{:?}", loaded.failures()) };
            assert_eq!(failure.key().unwrap().as_str(), "card:b");
        }
    }

    async fn what_is_unavailable_is_listed_once_and_read_once(store: Store) {
        let plain = store.plain();
        ranked(&plain).await;
        plain.delete("card:d").await.unwrap();
        let write = Write::put("card:c".parse().unwrap(), *b"[]");
        store.adapter().write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
        plain.put("deck:3", &json!({
            "cards": [{"$ref": "card:c"}, {"$ref": "card:d"}], "more": {"$ref": "deck:2"},
        })).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let preload = "cards, more.cards".parse::<Preload>().unwrap().keep_going();
        let loaded = pstate.preload("deck:3", preload).await.unwrap().unwrap();
        assert_eq!((loaded.failures().len(), loaded.dangling().len()), (1, 2));
        assert_eq!(counting.take().keys_read, 5);
    }

    async fn paths_that_share_a_document_choose_each_for_itself(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        let deck = json!({"$ref": "deck:1"});
        pstate.put("user:1", &json!({"d": deck, "e": deck, "f g": deck})).await.unwrap();
        let preload = r#"d.cards(limit: 1), e.cards(limit: 3), "f g".cards(order_by: -rank)"#;
        let loaded = pstate.preload("user:1", preload).await.unwrap().unwrap();
        let deck = loaded.get(&"deck:1".parse().unwrap()).unwrap();
        let ids = |path: &str| -> String {
            loaded.follow_path(deck, path).unwrap().map(|card| card.key().id()).collect()
        };
        assert_eq!(ids("d.cards"), "a");
        assert_eq!(ids("e.cards"), "abc");
        assert_eq!(ids(r#""f g".cards"#), "dabec");
        assert_eq!(
            loaded.follow(deck, "cards").err().unwrap().to_string(),
            "follow: deck:1: `cards` was preloaded with different options, such as by `d.cards` and \
             `e.cards`: ask for one of them with `follow_path`"
        );
        // With the same options there is one answer.
        let loaded = pstate.preload("user:1", "d.cards(limit: 2), e.cards(limit: 2)").await.unwrap().unwrap();
        assert_eq!(loaded.follow(deck, "cards").unwrap().len(), 2);
        for path in ["d.cards", "e.cards"] {
            assert_eq!(loaded.follow_path(deck, path).unwrap().len(), 2);
        }
    }

    async fn each_path_leads_on_from_what_it_has_chosen(store: Store) {
        let pstate = store.plain();
        for (id, owner) in [("a", "1"), ("b", "2")] {
            pstate.put(format!("card:{id}"), &json!({"owner": {"$ref": format!("user:{owner}")}})).await.unwrap();
            pstate.put(format!("user:{owner}"), &json!({})).await.unwrap();
        }
        pstate.put("deck:1", &json!({"cards": [{"$ref": "card:a"}, {"$ref": "card:b"}]})).await.unwrap();
        let deck = json!({"$ref": "deck:1"});
        pstate.put("shelf:1", &json!({"d": deck, "e": deck})).await.unwrap();
        let preload = "d.cards(limit: 1).owner, e.cards";
        let loaded = pstate.preload("shelf:1", preload).await.unwrap().unwrap();
        assert!(loaded.get(&"user:1".parse().unwrap()).is_some());
        assert!(loaded.get(&"user:2".parse().unwrap()).is_none());
    }

    async fn fields_of_any_name_are_followed(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"a b": 1})).await.unwrap();
        let names = ["", "a.b", "a, b", "-", "é\u{301}", "keep_going", "\"\n\\"];
        let deck: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), json!({"$ref": "card:1"}))).collect();
        pstate.put("deck:1", &serde_json::Value::Object(deck)).await.unwrap();
        let preload = names.iter().fold(Preload::new(), |preload, name| {
            preload.path(Path::new(*name).filter(Filter::equal("a b", 1)).order_by(Order::descending("-")))
        });
        for preload in [preload.to_string().parse().unwrap(), preload] {
            let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
            for name in names {
                assert_eq!(loaded.follow(loaded.root(), name).unwrap().len(), 1);
            }
        }
    }

    async fn a_preload_is_text_or_a_value_owned_or_borrowed(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        let field = "cards".to_owned();
        let preload = Preload::new().path(&*field);
        let loaded = [
            pstate.preload("deck:1", "cards").await,
            pstate.preload("deck:1", format!("{field}(limit: 9)")).await,
            pstate.preload("deck:1", &field).await,
            pstate.preload("deck:1", &preload).await,
            pstate.preload("deck:1", preload).await,
        ];
        assert!(loaded.into_iter().all(|loaded| loaded.unwrap().unwrap().len() == 6));
        pstate.explain("deck:1", format!("{field}.x")).unwrap();
        _ = Warm::new().preload("deck:1", &field).unwrap();
    }

    async fn values_from_elsewhere_are_compared_as_they_are(store: Store) {
        let pstate = store.plain();
        ranked(&pstate).await;
        for (filter, expected) in [
            (Filter::equal("lang", "es"), "ab"),
            (Filter::equal("lang", String::from("es\", limit: 9, filter: lang != \"")), ""),
            (Filter::not_equal("rank", Option::<u32>::None), "abde"),
            (Filter::less("rank", 3), "be"),
            (Filter::less_or_equal("rank", 3_u64), "abe"),
            (Filter::greater("rank", 2.5), "ad"),
            (Filter::greater_or_equal("rank", 4), "d"),
        ] {
            let cards = Path::new(String::from("cards")).filter(filter);
            let loaded = pstate.preload("deck:1", Preload::new().path(cards)).await.unwrap().unwrap();
            let cards = loaded.follow(loaded.root(), "cards").unwrap();
            assert_eq!(cards.map(|card| card.key().id()).collect::<String>(), expected);
        }
    }

    async fn a_field_that_no_document_has_is_reported(store: Store) {
        let plain = store.plain();
        ranked(&plain).await;
        plain.update("card:a", |card| {
            card.insert("owner".into(), json!(null));
            Ok(())
        }).await.unwrap();
        let unmatched = async |pstate: &PState, key: &str, preload: &str| {
            pstate.preload(key, preload).await.unwrap().unwrap().unmatched().join(" | ")
        };
        assert_eq!(unmatched(&plain, "deck:1", "crads, cards.{owner, ownr}").await, "crads | cards.ownr");
        assert_eq!(unmatched(&plain, "shelf:1", r#"decks.{"a b".x, cards}"#).await, r#"decks."a b""#);
        // From no document nothing leads on.
        assert_eq!(unmatched(&plain, "deck:1", "cards(limit: 0).ownr").await, "");
        // The last of a chain has no next.
        plain.put("node:a", &json!({"next": {"$ref": "node:b"}})).await.unwrap();
        plain.put("node:b", &json!({})).await.unwrap();
        assert_eq!(unmatched(&plain, "node:a", "next*").await, "");

        let schema = Schema::new([
            Entity::new("deck", 1).field(has_many("cards", "card")).field(has_many("tags", "tag")),
            Entity::new("card", 1).field(has_many("notes", "note")),
        ]).unwrap();
        let with_schema = store.builder().schema(schema).build().unwrap();
        let preload = "tags, cards.{notes, nots}";
        assert_eq!(unmatched(&with_schema, "deck:1", preload).await, "cards.nots");
        assert_eq!(unmatched(&plain, "deck:1", preload).await, "tags | cards.notes | cards.nots");
    }
}
