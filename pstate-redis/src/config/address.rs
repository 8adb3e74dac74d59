//! Addresses: from text to a configuration.

use pstate_core::{Error, ErrorKind, Result};
use url::Url;

use super::placement::Placement;
use super::redis_config::{PORT, RedisConfig};

impl RedisConfig {
    /// The configuration that an address stands for:
    /// `redis://user:password@host:port/database?prefix=app`.
    ///
    /// | beginning | what it is |
    /// |---|---|
    /// | `redis://` | one server |
    /// | `rediss://` | one server, encrypted (feature `tls`) |
    /// | `redis+cluster://`, `rediss+cluster://` | a Cluster (feature `cluster`), of which one or more servers are named, separated by commas: `redis+cluster://a:7000,b:7000` |
    ///
    /// User name, password, port and database are optional. In a user name or password, write what
    /// is no letter or digit as `%` and two hexadecimal digits. After a `?` may stand
    /// `prefix=NAME`, `placement=per_space` or `per_key`, and `read_from_replicas=true`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if it is none of these. The message never quotes the address.
    pub fn from_url(url: &str) -> Result<Self> {
        parse(url)
    }
}

/// Errors quote nothing of the address: it may hold a password.
fn parse(url: &str) -> Result<RedisConfig> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| malformed("no `://` in it"))?;
    let (tls, cluster) = match scheme.to_ascii_lowercase().as_str() {
        "redis" => (false, false),
        "rediss" => (true, false),
        "redis+cluster" => (false, true),
        "rediss+cluster" => (true, true),
        _ => {
            return Err(malformed(
                "it has to begin with redis://, rediss://, redis+cluster:// or rediss+cluster://",
            ));
        }
    };
    // Several hosts are no URL, so take the others out of it first.
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    // No database and no option has one, so it ends a user name or password.
    if path.contains('@') {
        return Err(malformed(
            "it has an `@` after a `/`, `?` or `#`; in a user name or password write these as %2F, \
             %3F and %23, and anywhere else the `@` as %40",
        ));
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default();
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let url = Url::parse(&format!("redis://{user}{first}{path}"))
        .map_err(|error| malformed(&error.to_string()))?;
    let mut nodes = vec![node(&url)?];
    for host in hosts {
        let url = Url::parse(&format!("redis://{host}"));
        nodes.push(node(&url.map_err(|error| malformed(&error.to_string()))?)?);
    }
    if nodes.len() > 1 && !cluster {
        return Err(malformed("only a Cluster has several servers"));
    }
    let mut config = RedisConfig { nodes, cluster, tls, ..RedisConfig::default() };
    if !url.username().is_empty() {
        config = config.username(decoded(url.username())?);
    }
    if let Some(password) = url.password() {
        config = config.password(decoded(password)?);
    }
    config.database = match url.path().trim_matches('/') {
        "" => 0,
        number => {
            number.parse().map_err(|_| malformed("the part after the / is no database number"))?
        }
    };
    if url.fragment().is_some() {
        return Err(malformed("it has a part after #, which has no meaning here"));
    }
    for (name, value) in url.query_pairs() {
        config = option(config, &name, &value)?;
    }
    Ok(config)
}

fn option(mut config: RedisConfig, name: &str, value: &str) -> Result<RedisConfig> {
    match (name, value) {
        ("prefix", prefix) => config = config.prefix(prefix),
        ("placement", "per_space") => config = config.placement(Placement::PerSpace),
        ("placement", "per_key") => config = config.placement(Placement::PerKey),
        ("placement", _) => return Err(malformed("placement is per_space or per_key")),
        ("read_from_replicas", "true") => config = config.read_from_replicas(true),
        ("read_from_replicas", "false") => config = config.read_from_replicas(false),
        ("read_from_replicas", _) => {
            return Err(malformed("read_from_replicas is true or false"));
        }
        _ => {
            return Err(malformed(
                "after the ? may stand only prefix, placement and read_from_replicas",
            ));
        }
    }
    Ok(config)
}

fn node(url: &Url) -> Result<(String, u16)> {
    match url.host_str().unwrap_or_default() {
        "" => Err(malformed("it names no host")),
        host => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Ok((host.to_owned(), url.port().unwrap_or(PORT)))
        }
    }
}

/// Decodes `%` and two hexadecimal digits.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            bytes.extend(u8::try_from(high * 16 + low));
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed("user name or password is not UTF-8"))
}

fn malformed(why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the Redis address is malformed: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> RedisConfig {
        parse(url).expect("an address")
    }

    #[test]
    fn an_address_holds_user_password_server_database_and_options() {
        let url = "rediss://us%40er:p%3Aa%2Fss@redis.internal:7000/3?prefix=app&placement=per_key";
        let config = parsed(url);
        assert_eq!(config.nodes, [("redis.internal".to_owned(), 7000)]);
        assert_eq!(config.username.as_deref(), Some("us@er"));
        assert_eq!(config.password.as_deref(), Some("p:a/ss"));
        assert_eq!(config.database, 3);
        assert!(config.tls && !config.cluster);
        assert_eq!((config.prefix.as_str(), config.placement), ("app", Placement::PerKey));
    }

    #[test]
    fn a_scheme_may_be_written_in_any_case() {
        assert_eq!(parsed("REDIS://localhost"), parsed("redis://localhost"));
        assert_eq!(parsed("Rediss+Cluster://a"), parsed("rediss+cluster://a"));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(parsed("redis://localhost"), RedisConfig::default().host("localhost", PORT));
        assert_eq!(parsed("redis://[::1]:7"), RedisConfig::default().host("::1", 7));
        let only_password = parsed("redis://:secret@localhost");
        assert_eq!((only_password.username, only_password.password), (None, Some("secret".into())));
    }

    #[test]
    fn a_cluster_may_have_several_servers() {
        let config = parsed("redis+cluster://user:x@a:1,b,c:3/?read_from_replicas=true");
        let expected = [("a".to_owned(), 1), ("b".to_owned(), PORT), ("c".to_owned(), 3)];
        assert_eq!(config.nodes, expected);
        assert!(config.cluster && config.read_from_replicas);
    }

    #[test]
    fn an_error_says_what_is_wrong_without_the_password() {
        for (url, why) in [
            ("redis:secret", "no `://`"),
            ("http://:secret@host", "has to begin with"),
            ("redis://:secret@", "host"),
            ("redis://:secret@a,b", "only a Cluster"),
            ("redis://:secret@host:port", "port"),
            ("redis://:secret@host/x", "database"),
            ("redis://:secret@host?secret=secret", "only prefix"),
            ("redis://:secret@host?placement=secret", "per_space or per_key"),
            ("redis://:secret@host#secret", "#"),
            ("redis://:%ff@host", "UTF-8"),
            ("redis://:se#secret@host", "%23"),
            ("redis://:se?secret@host", "%3F"),
            ("redis://:se/secret@host", "%2F"),
            ("redis://user:se#secret@host:7/0", "%23"),
            ("redis://secret#x@host", "%23"),
            ("redis://:s@secret#x@host", "%23"),
            ("redis+cluster://:se?secret@a:1,b:2", "%3F"),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(why), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
