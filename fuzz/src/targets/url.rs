//! The URLs of stores: no error and no debug output shows a password, and what can be parsed can
//! be written.

use pstate::FileUrl;
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
    assert_rewritable(text);
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_opened = ["sqlite", "sled"].contains(&&*scheme) || scheme.starts_with("redis");
    if !is_opened {
        store::block_on(async {
            let opened = pstate::open(text).await;
            assert_eq!(opened.is_ok(), text.eq_ignore_ascii_case("memory:"));
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

/// A path is found again when each byte of it is written with `%`.
fn assert_rewritable(text: &str) {
    let Ok(url) = FileUrl::parse("sqlite", text) else { return };
    let path: Vec<String> = url.path().bytes().map(|byte| format!("%{byte:02x}")).collect();
    let rewritten = FileUrl::parse("sqlite", &format!("sqlite:{}", path.concat()));
    let rewritten = rewritten.expect("every path can be written");
    assert_eq!(rewritten.path(), url.path());
    for option in url.options() {
        // A number is an amount of bytes, and a truth value is no duration.
        assert!(option.number().is_err() || option.bytes().is_ok());
        assert!(option.boolean().is_err() || option.duration().is_err());
    }
}
