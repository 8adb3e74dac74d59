//! Keys: what is parsed is shown as it was written; parts, references and order agree with it.

use pstate::{Key, KeyRef, Ref};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = match text.parse::<Key>() {
        Ok(key) => key,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
            assert!(KeyRef::parse(text).is_err());
            return;
        }
    };
    assert_eq!((key.as_str(), key.to_string()), (text, text.to_owned()));
    let (entity_type, id) = (key.entity_type(), key.id());
    assert_eq!(format!("{entity_type}:{id}"), text);
    assert_eq!(Key::new(entity_type, id).unwrap(), key);
    assert_eq!(KeyRef::parse(text).unwrap().to_key(), key);
    let reference = serde_json::to_string(&Ref::<()>::new(key.clone())).unwrap();
    assert_eq!(*serde_json::from_str::<Ref>(&reference).unwrap().key(), key);
    let other = Key::new("m", "m").unwrap();
    assert_eq!(key.cmp(&other), text.cmp("m:m"));
}
