//! A URL whose feature is off says which one to turn on.

use pstate::ErrorKind;

#[tokio::test]
async fn each_scheme_names_its_feature() {
    for (url, feature, on) in [
        ("sqlite:app.db", "`sqlite`", cfg!(feature = "sqlite")),
        ("sled:app", "`sled`", cfg!(feature = "sled")),
        ("redis://:hunter2@host", "`redis`", cfg!(feature = "redis")),
        ("rediss://:hunter2@host", "`redis-tls`", cfg!(feature = "redis-tls")),
        ("redis+cluster://:hunter2@host", "`redis-cluster`", cfg!(feature = "redis-cluster")),
        (
            "rediss+cluster://:hunter2@host",
            "`redis-cluster` and `redis-tls`",
            cfg!(all(feature = "redis-cluster", feature = "redis-tls")),
        ),
    ] {
        if on {
            continue;
        }
        let error = pstate::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let scheme = url.split(':').next().unwrap();
        assert_eq!(
            error.to_string(),
            format!("connect: for {scheme}: URLs turn on the feature {feature}")
        );
    }
}
