//! Nothing that is stored exhausts a stack: each test works on a thread with 512 KiB, the least that
//! programs give their threads, in a process of its own, since an exhausted stack ends the process.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

use pstate::{ErrorKind, PState, schema};
use serde_json::{Value, json};

use crate::stores::Store;

const STACK: usize = 512 << 10;

/// Set in a process that was started to run one test.
const ALONE: &str = "PSTATE_TEST_ALONE";

/// Runs a test of this file in a process of its own, on a thread with a small stack.
fn on_small_stack(test: &str, run: impl AsyncFnOnce() + Send + 'static) {
    if env::var_os(ALONE).is_none() {
        let name = format!("resolved::deep::{test}");
        let mut alone = Command::new(env::current_exe().unwrap());
        alone.args(["--exact", "--nocapture", &name]).env(ALONE, "1").stdin(Stdio::null());
        let output = alone.output().unwrap();
        let (out, err) = (&output.stdout, &output.stderr);
        let said = [String::from_utf8_lossy(out), String::from_utf8_lossy(err)].concat();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let on_stack = move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(run());
    };
    thread::Builder::new().stack_size(STACK).spawn(on_stack).unwrap().join().unwrap();
}

/// A value within so many levels of arrays, or of objects.
fn within(levels: usize, objects: bool, value: Value) -> Value {
    (0..levels).fold(value, |value, _| if objects { json!({ "a": value }) } else { json!([value]) })
}

/// Documents `n:0`, `n:1`, ..., each with the reference to the next within so many levels.
async fn put_chain(pstate: &PState, documents: usize, levels: usize, objects: bool) {
    for at in 0..documents {
        let next = within(levels - 1, objects, json!({"$ref": format!("n:{}", at + 1)}));
        pstate.put(format!("n:{at}"), &json!({ "next": next })).await.unwrap();
    }
}

/// Does with a tree what programs do with one.
fn use_tree(tree: &Value) {
    let copy = tree.clone();
    assert_eq!(copy, *tree);
    let text = serde_json::to_string(&copy).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), copy);
    assert_eq!(serde_json::to_value(tree).unwrap(), copy);
    assert!(format!("{tree:#?}").len() > text.len());
    drop(copy);
}

#[test]
fn documents_of_many_levels_that_refer_to_each_other() {
    on_small_stack("documents_of_many_levels_that_refer_to_each_other", async || {
        for objects in [false, true] {
            let pstate = Store::memory().plain();
            put_chain(&pstate, 33, 80, objects).await;
            let error = pstate.get_resolved("n:0", 32).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(
                error.to_string(),
                "get_resolved: n:0: the tree of depth 32 has more than 127 levels of arrays and \
                 objects, reached at document 2; ask for depth 0"
            );
            use_tree(&pstate.get_resolved("n:0", 0).await.unwrap().unwrap());
        }
    });
}

#[test]
fn a_tree_of_as_many_levels_as_there_may_be_is_built_used_kept_and_dropped() {
    on_small_stack(
        "a_tree_of_as_many_levels_as_there_may_be_is_built_used_kept_and_dropped",
        async || {
            for objects in [false, true] {
                let pstate = Store::memory().plain();
                // 31 times 4 levels are expanded, then come 2 of the last and the reference.
                put_chain(&pstate, 31, 4, objects).await;
                let last = within(1, objects, json!({"$ref": "n:gone"}));
                pstate.put("n:31", &json!({ "last": last })).await.unwrap();
                let tree = pstate.get_resolved("n:0", 32).await.unwrap().unwrap();
                use_tree(&tree);
                drop(tree);
                // It leaves the cache.
                pstate.put("n:7", &json!({})).await.unwrap();
                pstate.clear_space().await.unwrap();
                put_chain(&pstate, 32, 4, objects).await;
                let error = pstate.get_resolved("n:0", 32).await.unwrap_err().to_string();
                assert!(error.ends_with("ask for depth 30"), "{error}");
            }
        },
    );
}

#[test]
fn one_document_of_more_levels_than_a_tree_may_have() {
    on_small_stack("one_document_of_more_levels_than_a_tree_may_have", async || {
        let pstate = Store::memory().plain();
        for levels in [126, 127, 128, 100_000] {
            let text = [r#"{"a":"#, &"[".repeat(levels), &"]".repeat(levels), "}"].concat();
            let raw = serde_json::value::RawValue::from_string(text).unwrap();
            // Whether it may be stored is not the question here.
            if pstate.put("n:deep", &raw).await.is_err() {
                continue;
            }
            pstate.put("n:0", &json!({"deep": {"$ref": "n:deep"}})).await.unwrap();
            for key in ["n:deep", "n:0"] {
                match pstate.get_resolved(key, 32).await {
                    Ok(tree) => use_tree(&tree.unwrap()),
                    Err(error) => assert_ne!(error.kind(), ErrorKind::Other, "{error}"),
                }
            }
            let document = pstate.get("n:deep").await.unwrap().unwrap();
            assert_eq!(document.value().is_ok(), levels <= 126);
            _ = document.references("a");
            _ = document.decode::<Value>();
            _ = pstate.preload("n:deep", "a").await;
        }
    });
}

#[test]
fn a_preload_of_many_levels() {
    on_small_stack("a_preload_of_many_levels", async || {
        let pstate = Store::memory().plain();
        pstate.put("n:0", &json!({})).await.unwrap();
        for (open, close) in [("a.", ""), ("a.{", "}")] {
            for levels in [63, 100_000] {
                let spec = [&open.repeat(levels), "a", &close.repeat(levels)].concat();
                assert_eq!(pstate.preload("n:0", spec.as_str()).await.is_ok(), levels == 63);
            }
        }
    });
}

#[test]
fn documents_of_as_many_levels_as_there_may_be_are_migrated_and_compared() {
    let test = "documents_of_as_many_levels_as_there_may_be_are_migrated_and_compared";
    on_small_stack(test, async || {
        let wrap = |document: &mut pstate::Object| {
            let inner = document.remove("a").unwrap_or_default();
            document.insert("b".to_owned(), inner);
            Ok(())
        };
        let entity = schema::Entity::new("n", 2).step(1, 2, wrap);
        let schema = pstate::Schema::new([entity]).unwrap();
        let store = Store::memory();
        let old = store.plain();
        for objects in [false, true] {
            old.put_at(1, "n:0", &json!({ "a": within(126, objects, json!(1)) })).await.unwrap();
            let pstate = store.builder().schema(schema.clone()).build().unwrap();
            let report = pstate.migrate_all().lossless(true).dry_run().await.unwrap();
            assert!(!report.to_string().is_empty());
            use_tree(&pstate.get_resolved("n:0", 1).await.unwrap().unwrap());
        }
    });
}
