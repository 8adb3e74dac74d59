//! Encrypted connections.

use pstate_core::{Adapter, ErrorKind};
use pstate_redis::{RedisAdapter, RedisConfig};
use pstate_testkit::redis::{Server, ServerOptions};
use tempfile::TempDir;

use crate::fixture::{get, put};

/// A server with a certificate of its own, and that certificate.
fn start(name: &str) -> (Server, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let directory = TempDir::new().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server =
        Server::start_with(&ServerOptions::new().tls(&certificate, &key).password("secret"));
    (server, made.cert.pem())
}

fn config(server: &Server) -> RedisConfig {
    RedisConfig::from_url(&format!("rediss://:secret@localhost:{}", server.port())).unwrap()
}

#[tokio::test]
async fn a_server_is_spoken_to_in_secret() {
    let (server, certificate) = start("localhost");
    let store =
        RedisAdapter::connect_with(config(&server).root_certificates(certificate)).await.unwrap();
    put(&store, "card:1", "{}").await;
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("{}"));
    let mut subscription = store.extensions().change_feed.unwrap().subscribe().await.unwrap();
    subscription.changes().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (server, _) = start("localhost");
    let error = RedisAdapter::connect_with(config(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_another_server_is_refused() {
    let (server, certificate) = start("another.example");
    let config = config(&server).root_certificates(certificate);
    let error = RedisAdapter::connect_with(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
