//! Spaces: what is parsed is shown as it was written, and can be worked in unless it is reserved.

use pstate::Space;
use serde_json::json;

use crate::store;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    store::block_on(async {
        let pstate = store::open(&store::empty());
        let space = match text.parse::<Space>() {
            Ok(space) => space,
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
                assert!(pstate.space(text).is_err());
                return;
            }
        };
        assert_eq!((space.as_str(), space.to_string()), (text, text.to_owned()));
        let Ok(sibling) = pstate.space(text) else {
            assert!(space.is_reserved());
            return;
        };
        sibling.put("card:1", &json!({})).await.unwrap();
        assert_eq!(pstate.spaces().await.unwrap(), std::slice::from_ref(&space));
        assert_eq!(pstate.get("card:1").await.unwrap().is_some(), space.is_default());
    });
}
