//! What a resolved tree may take.

use pstate::{ErrorKind, PState};
use serde_json::{Value, json};

use crate::stores::Store;

/// Documents that each refer to all others, in a list.
async fn put_clique(pstate: &PState, documents: usize) {
    let all: Vec<Value> = (0..documents).map(|at| json!({"$ref": format!("n:{at}")})).collect();
    for at in 0..documents {
        pstate.put(format!("n:{at}"), &json!({"name": "x", "all": all})).await.unwrap();
    }
}

async fn refused(pstate: &PState, key: &str, depth: usize) -> String {
    let error = pstate.get_resolved(key, depth).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.to_string()
}

#[tokio::test]
async fn a_tree_beyond_the_limit_is_refused_with_the_depth_that_fits() {
    let pstate = Store::memory().plain();
    put_clique(&pstate, 12).await;
    let refused = refused(&pstate, "n:0", 11).await;
    assert_eq!(
        refused,
        "get_resolved: n:0: the tree of depth 11 takes more than the limit of 67108864 bytes, \
         reached at document 7562; ask for depth 3, or raise `Builder::resolved_bytes`"
    );
    assert!(pstate.get_resolved("n:0", 3).await.unwrap().is_some());
}

#[tokio::test]
async fn the_limit_can_be_changed_and_counts_what_the_cache_counts() {
    let store = Store::memory();
    put_clique(&store.plain(), 5).await;
    let pstate = store.builder().resolved_bytes(40_000).build().unwrap();
    let refused = refused(&pstate, "n:0", 4).await;
    assert!(refused.contains("more than the limit of 40000 bytes"), "{refused}");
    let fits = refused.split("ask for depth ").nth(1).unwrap()[..1].parse().unwrap();
    let tree = pstate.get_resolved("n:0", fits).await.unwrap().unwrap();
    assert!(tree["all"][1]["all"][0] == json!({"$ref": "n:0"}));
    assert!(pstate.get_resolved("n:0", fits + 1).await.is_err());
    // The cache keeps it, so it counts it.
    let weighed = pstate.stats().cache_bytes;
    pstate.put("n:0", &json!({})).await.unwrap();
    assert!(weighed - pstate.stats().cache_bytes <= 40_000 + 20_000, "{weighed}");

    // Not even the document itself.
    let tiny = store.builder().resolved_bytes(100).build().unwrap();
    let error = tiny.get_resolved("n:1", 9).await.unwrap_err().to_string();
    assert!(error.ends_with("at document 1; raise `Builder::resolved_bytes`"), "{error}");
}

#[tokio::test]
async fn a_wide_level_is_refused_before_all_of_it_is_read() {
    let store = Store::memory();
    let plain = store.plain();
    let wide: Vec<Value> = (0..5_000).map(|at| json!({"$ref": format!("n:{at}")})).collect();
    for at in 0..5_000 {
        plain.put(format!("n:{at}"), &json!({"text": "x".repeat(1_000)})).await.unwrap();
    }
    plain.put("root:1", &json!({ "wide": wide })).await.unwrap();
    let counting = store.counting();
    let limited = PState::builder(counting.clone()).resolved_bytes(1 << 20).build().unwrap();
    assert!(limited.get_resolved("root:1", 1).await.is_err());
    // The root, and the first 1,024.
    assert_eq!(counting.take().reads, 2);
}

#[tokio::test]
async fn references_that_stay_are_as_they_are_stored() {
    let pstate = Store::memory().plain();
    let stays = json!({"more": [1, {"$ref": "n:2"}], "$ref": "n:gone"});
    let text = json!({"$ref": "no key", "inner": {"$ref": "n:2"}});
    let root = json!({"a": [null, stays, {"$ref": "n:2"}], "b": text, "c": {"$ref": "n:1"}});
    pstate.put("n:1", &root).await.unwrap();
    pstate.put("n:2", &json!({"$ref": "n:3", "more": true})).await.unwrap();
    pstate.put("n:3", &json!({"two": 2, "one": {"$ref": "n:2"}})).await.unwrap();
    let resolved = async |depth| pstate.get_resolved("n:1", depth).await.unwrap().unwrap();
    assert_eq!(*resolved(0).await, root);
    let two = json!({"$ref": "n:3", "more": true});
    let expected = |two: &Value| {
        json!({
            "a": [null, stays, two],
            "b": {"$ref": "no key", "inner": two},
            "c": {"$ref": "n:1"},
        })
    };
    assert_eq!(*resolved(1).await, expected(&two));
    // A document that is a reference is replaced by what it refers to.
    let three = json!({"two": 2, "one": {"$ref": "n:2"}});
    assert_eq!(*resolved(2).await, expected(&three));
    assert_eq!(*resolved(32).await, expected(&three));
}
