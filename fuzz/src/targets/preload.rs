//! Preloads: what is parsed is shown in a form that means the same, is explained, and runs on
//! a graph with cycles.

use pstate::Preload;
use serde_json::json;

use crate::store;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let preload = match text.parse::<Preload>() {
        Ok(preload) => preload,
        Err(error) => {
            assert!(error.to_string().contains("preload"), "{error}");
            return;
        }
    };
    let shown = preload.to_string();
    let again: Preload = shown.parse().unwrap();
    assert_eq!(again.to_string(), shown);
    assert_eq!(format!("{again:?}"), format!("{preload:?}"));
    store::block_on(async {
        let pstate = store::open(&store::empty());
        let refer = |to: usize| json!({"$ref": format!("n:{}", to % 4)});
        for at in 0..4 {
            let document = json!({"n": at, "a": refer(at + 1), "b": [refer(at), refer(at + 3)]});
            pstate.put(format!("n:{at}"), &document).await.unwrap();
        }
        let run = pstate.preload("n:0", text).await;
        let explained = pstate.explain("n:0", text);
        if let Ok(loaded) = run {
            let loaded = loaded.unwrap();
            assert!(loaded.len() <= 4);
            assert!(loaded.round_trips() <= explained.unwrap().max_reads());
        }
    });
}
