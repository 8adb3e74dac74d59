//! The URLs of stores: no error and no debug output shows a password.

use pstate::redis::RedisConfig;

use crate::store;

const PASSWORD: &str = "correct-horse";

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_silent(text);
    // The text around a password, where a password stands in a URL.
    if let Some((scheme, rest)) = text.split_once("://") {
        assert_silent(&format!("{scheme}://:{PASSWORD}@{rest}"));
    }
    let scheme = text.split(':').next().unwrap_or_default();
    let is_opened = ["sqlite", "sled"].contains(&scheme) || scheme.starts_with("redis");
    if !is_opened {
        store::block_on(async {
            let opened = pstate::open(text).await;
            assert_eq!(opened.is_ok(), text == "memory:");
        });
    }
}

fn assert_silent(url: &str) {
    let said = match RedisConfig::from_url(url) {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    // Elsewhere than in the place of a password it is a host, a prefix, or a database.
    assert!(!said.contains(PASSWORD) || url.matches(PASSWORD).count() > 1, "{said}");
}
