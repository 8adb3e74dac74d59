//! Typed edits through the handle.

use std::sync::Arc;

use pstate::schema::{Entity, Schema, string};
use pstate::{Collection, ErrorKind, MemoryAdapter, PState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

async fn with(key: &str, text: &str) -> PState {
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap();
    let raw = RawValue::from_string(text.to_owned()).unwrap();
    pstate.put(key, &raw).await.unwrap();
    pstate
}

#[tokio::test]
async fn an_acknowledged_typed_update_can_be_read_whatever_the_names() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Card {
        #[serde(alias = "title")]
        name: String,
    }
    const CARDS: Collection<Card> = Collection::new("card");
    let pstate = with("card:1", r#"{"title":"old","n":1.50}"#).await;
    let update = CARDS.update(&pstate, "1", |card| {
        card.name = "new".into();
        Ok(())
    });
    assert_eq!(update.await.unwrap().unwrap().as_str(), r#"{"title":"new","n":1.50}"#);
    assert_eq!(CARDS.get(&pstate, "1").await.unwrap().unwrap().name, "new");
}

#[tokio::test]
async fn an_ambiguous_change_of_a_list_is_refused_and_says_what_to_do() {
    #[derive(Serialize, Deserialize)]
    struct Deck {
        items: Vec<Item>,
    }
    #[derive(Serialize, Deserialize)]
    struct Item {
        done: bool,
    }
    const DECKS: Collection<Deck> = Collection::new("deck");
    let text = r#"{"items":[{"done":true,"theirs":1},{"done":true,"theirs":2}]}"#;
    let pstate = with("deck:1", text).await;
    let popped = DECKS.update(&pstate, "1", |deck| {
        deck.items.pop();
        Ok(())
    });
    let error = popped.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "update: deck:1: list `items`: it is not clear which of its items were changed, and they \
         hold members that the type does not know; nothing is stored. Give each item a unique \
         `id`, or change the list with `PState::update`"
    );
    assert_eq!(pstate.get("deck:1").await.unwrap().unwrap().as_str(), text);
}

#[tokio::test]
async fn wide_and_narrow_numbers_are_updated_as_they_are_put() {
    #[derive(Serialize, Deserialize)]
    struct Card {
        n: u128,
        ease: f32,
    }
    const CARDS: Collection<Card> = Collection::new("card");
    let pstate = with("card:1", r#"{"n":1,"ease":1.50}"#).await;
    let updated = CARDS.update(&pstate, "1", |card| {
        (card.n, card.ease) = (u128::MAX, 0.3);
        Ok(())
    });
    assert_eq!(
        updated.await.unwrap().unwrap().as_str(),
        r#"{"n":340282366920938463463374607431768211455,"ease":0.3}"#
    );
}

#[tokio::test]
async fn a_type_that_refuses_unknown_members_works_with_a_schema() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Card {
        name: String,
    }
    const CARDS: Collection<Card> = Collection::new("card");
    let schema = Schema::new([Entity::new("card", 3).field(string("name"))]).unwrap();
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).schema(schema).build().unwrap();
    CARDS.put(&pstate, "1", &Card { name: "a".into() }).await.unwrap();
    assert_eq!(CARDS.get(&pstate, "1").await.unwrap().unwrap().name, "a");
    let updated = CARDS.update(&pstate, "1", |card| {
        card.name.push('b');
        Ok(())
    });
    assert_eq!(updated.await.unwrap().unwrap().as_str(), r#"{"$v":3,"name":"ab"}"#);
    // What it refuses otherwise it refuses still.
    pstate.put("card:2", &json!({"name": "a", "other": 1})).await.unwrap();
    let error = CARDS.get(&pstate, "2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(!error.message().contains("$v"), "{error}");
}

#[tokio::test]
async fn closures_may_return_errors_of_their_own_and_values() {
    #[derive(Debug, PartialEq)]
    enum Failed {
        Overdrawn,
        Store(ErrorKind),
    }
    impl From<pstate::Error> for Failed {
        fn from(error: pstate::Error) -> Self {
            Self::Store(error.kind())
        }
    }
    #[derive(Serialize, Deserialize)]
    struct Account {
        balance: u64,
    }
    const ACCOUNTS: Collection<Account> = Collection::new("account");

    let pstate = with("account:a", r#"{"balance":5}"#).await;
    let take = async |amount: u64| {
        pstate
            .try_update("account:a", |account| {
                let balance = account.get("balance").and_then(Value::as_u64).unwrap_or(0);
                let left = balance.checked_sub(amount).ok_or(Failed::Overdrawn)?;
                account.insert("balance".into(), json!(left));
                Ok::<_, Failed>(left)
            })
            .await
    };
    let (document, left) = take(3).await.unwrap().unwrap();
    assert_eq!((document.as_str(), left), (r#"{"balance":2}"#, 2));
    assert_eq!(take(3).await.unwrap_err(), Failed::Overdrawn);
    let typed = ACCOUNTS.try_update(&pstate, "a", |account| {
        account.balance = account.balance.checked_sub(3).ok_or(Failed::Overdrawn)?;
        Ok::<_, Failed>(())
    });
    assert_eq!(typed.await.unwrap_err(), Failed::Overdrawn);
    let missing = pstate.try_update("account:b", |_| Ok::<_, Failed>(1)).await;
    assert!(missing.unwrap().is_none());
    let malformed = pstate.try_update("Account", |_| Ok::<_, Failed>(1)).await;
    assert_eq!(malformed.unwrap_err(), Failed::Store(ErrorKind::InvalidInput));

    // `?` on any error ends an update, which names it as its cause.
    let ended = pstate.update("account:a", |account| {
        let number: u64 = "seven".parse()?;
        account.insert("balance".into(), json!(number));
        Ok(())
    });
    let error = ended.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(std::error::Error::source(&error).unwrap().is::<std::num::ParseIntError>());
    assert_eq!(pstate.get("account:a").await.unwrap().unwrap().as_str(), r#"{"balance":2}"#);
}
