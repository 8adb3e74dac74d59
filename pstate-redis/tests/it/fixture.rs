//! Servers, stores, and short words for what is asked of them.

use std::num::NonZeroUsize;
use std::time::Duration;

use pstate_core::{Adapter, Batch, Error, Key, Outcome, Page, Result, Scan, Space, Write};
use pstate_redis::{RedisAdapter, RedisConfig};
use pstate_testkit::redis::{Reply, Server};

/// Long enough for a slow machine, short enough for a test that waits for it.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

pub(crate) fn config(server: &Server) -> RedisConfig {
    RedisConfig::default().host("127.0.0.1", server.port())
}

/// Waits until so much time has passed by the server's clock.
pub(crate) fn pass(server: &Server, time: Duration) {
    let micros = |reply: &Reply| {
        let Reply::List(parts) = reply else { panic!("{reply:?} is no time") };
        let part = |at: usize| parts[at].text().parse::<u128>().unwrap();
        part(0) * 1_000_000 + part(1)
    };
    let end = micros(&server.command(&["TIME"])) + time.as_micros();
    server.wait_for(&["TIME"], |reply| micros(reply) > end);
}

pub(crate) async fn open(server: &Server) -> RedisAdapter {
    connect(config(server)).await.unwrap()
}

pub(crate) async fn connect(config: RedisConfig) -> Result<RedisAdapter> {
    RedisAdapter::connect_with(config).await
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub(crate) fn put_write(text: &str, bytes: impl AsRef<[u8]>) -> Write {
    Write::put(key(text), bytes.as_ref())
}

/// The same bytes under `card:0`, `card:1`, …
pub(crate) fn many(count: usize, bytes: &str) -> Vec<Write> {
    (0..count).map(|n| put_write(&format!("card:{n}"), bytes)).collect()
}

pub(crate) async fn write(store: &RedisAdapter, writes: Vec<Write>) -> Result<Vec<Outcome>> {
    store.write(&Space::default(), &Batch::atomic(writes)).await
}

pub(crate) async fn put(store: &RedisAdapter, text: &str, bytes: impl AsRef<[u8]>) {
    let outcomes = write(store, vec![put_write(text, bytes)]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
}

pub(crate) async fn try_put(store: &RedisAdapter, text: &str, bytes: &str) -> Result<()> {
    write(store, vec![put_write(text, bytes)]).await.map(drop)
}

pub(crate) async fn try_get(store: &RedisAdapter, text: &str) -> Result<Option<String>> {
    let mut records = store.multi_get(&Space::default(), &[key(text)]).await?;
    assert_eq!(records.len(), 1);
    let record = records.pop().flatten();
    Ok(record.map(|record| String::from_utf8_lossy(&record.bytes).into_owned()))
}

pub(crate) async fn get(store: &RedisAdapter, text: &str) -> Option<String> {
    try_get(store, text).await.unwrap()
}

pub(crate) async fn page(store: &RedisAdapter, prefix: &str, limit: usize) -> Page {
    let limit = NonZeroUsize::new(limit).unwrap();
    let scan = Scan { prefix: prefix.to_owned(), after: None, limit };
    store.scan(&Space::default(), &scan).await.unwrap()
}

/// The keys of all pages.
pub(crate) async fn scan_all(store: &RedisAdapter) -> Vec<String> {
    let limit = NonZeroUsize::new(50).unwrap();
    let mut scan = Scan { prefix: String::new(), after: None, limit };
    let mut found = Vec::new();
    loop {
        let page = store.scan(&Space::default(), &scan).await.unwrap();
        found.extend(page.records.iter().map(|(key, _)| key.to_string()));
        match page.next {
            None => return found,
            next => scan.after = next,
        }
    }
}

pub(crate) fn no_secret(error: &Error, secret: &str) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(secret), "{shown}");
}
