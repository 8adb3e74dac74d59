//! Opening a store by its URL.

use std::sync::Arc;

use pstate_core::{Adapter, Builder, Error, ErrorKind, MemoryAdapter, PState, Result};

/// A handle on the store that a URL names, to be set up: [`open`], and [`PState::builder`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let pstate = pstate::connect("memory:").await?.cache_bytes(16 << 20).build()?;
/// # Ok::<(), pstate::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// Those of [`open`].
pub async fn connect(url: &str) -> Result<Builder> {
    Ok(PState::builder(open(url).await?))
}

/// Opens the store that a URL names.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `sqlite:app.db`, `sqlite:/var/lib/app.db?synchronous=normal` | an SQLite file, made if there is none | `sqlite` |
/// | `sled:app`, `sled:/var/lib/app?flush=100ms` | a directory of sled's, made if there is none | `sled` |
/// | `redis://user:password@host:6379/0?prefix=app` | a Redis server | `redis` |
/// | `rediss://host` | the same, encrypted | `redis-tls` |
/// | `redis+cluster://a:7000,b:7000?placement=per_key`, `rediss+cluster://…` | a Redis Cluster | `redis-cluster` |
/// | `memory:` | memory; it ends with the handle | |
///
/// Schemes may be written in any case. Options after the `?` are settings of the store:
/// `SqliteConfig::from_url`, `SledConfig::from_url` and `RedisConfig::from_url` list them. In the
/// path of a file, write `?`, `#` and `%` as `%3F`, `%23` and `%25`. Files are opened in place, which takes milliseconds, or up to their busy
/// timeout (5 s) while another process holds them.
///
/// # Errors
/// [`Config`](ErrorKind::Config) for a scheme that is unknown or whose feature is off, for an
/// option that the store does not have, and for a store that cannot be opened. What follows the
/// scheme is part of the error only where it names a file: elsewhere it may hold a password.
pub async fn open(url: &str) -> Result<Arc<dyn Adapter>> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| {
        config("the URL of a store begins with its scheme, as in sqlite:app.db".to_owned())
    })?;
    match scheme.to_ascii_lowercase().as_str() {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryAdapter::new())),
        "memory" => Err(config("nothing follows memory: in a URL".to_owned())),
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(pstate_sqlite::SqliteAdapter::open_url(url)?)),
        #[cfg(feature = "sled")]
        "sled" => Ok(Arc::new(pstate_sled::SledAdapter::open_url(url)?)),
        #[cfg(feature = "redis")]
        "redis" => redis(url).await,
        #[cfg(feature = "redis-tls")]
        "rediss" => redis(url).await,
        #[cfg(feature = "redis-cluster")]
        "redis+cluster" => redis(url).await,
        #[cfg(all(feature = "redis-cluster", feature = "redis-tls"))]
        "rediss+cluster" => redis(url).await,
        unknown => Err(match FEATURES.iter().find(|(known, _)| *known == unknown) {
            Some((scheme, feature)) => {
                config(format!("for {scheme}: URLs turn on the feature {feature}"))
            }
            None => config(format!("no store has the scheme {unknown:?}; there are {}", schemes())),
        }),
    }
}

#[cfg(feature = "redis")]
async fn redis(url: &str) -> Result<Arc<dyn Adapter>> {
    Ok(Arc::new(pstate_redis::RedisAdapter::connect(url).await?))
}

/// The schemes, and the features that they take.
const FEATURES: [(&str, &str); 6] = [
    ("sqlite", "`sqlite`"),
    ("sled", "`sled`"),
    ("redis", "`redis`"),
    ("rediss", "`redis-tls`"),
    ("redis+cluster", "`redis-cluster`"),
    ("rediss+cluster", "`redis-cluster` and `redis-tls`"),
];

fn schemes() -> String {
    let schemes = FEATURES.iter().map(|(scheme, _)| format!("{scheme}:"));
    format!("{} and memory:", schemes.collect::<Vec<_>>().join(", "))
}

fn config(why: String) -> Error {
    Error::new(ErrorKind::Config, why).in_operation("connect")
}

#[cfg(test)]
mod tests {
    use pstate_core::ErrorKind;

    /// Here, and not in the package of the other tests: only this package's own `cfg!(feature)`
    /// says what is compiled in, also when other packages of the workspace turn features on.
    #[tokio::test]
    async fn a_scheme_that_is_off_names_its_feature() {
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
            let error = super::connect(url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let scheme = url.split(':').next().unwrap();
            assert_eq!(
                error.to_string(),
                format!("connect: for {scheme}: URLs turn on the feature {feature}")
            );
        }
    }
}
