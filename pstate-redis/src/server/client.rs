//! How to reach a server.

use redis::{
    Client, ConnectionAddr, ErrorKind as RedisKind, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisError,
};

use crate::config::RedisConfig;
use crate::error::{Failure, USE_CLUSTER};

/// A client of the server at `host` and `port`. It does not connect yet.
pub(crate) fn client(
    config: &RedisConfig,
    host: &str,
    port: u16,
    protocol: ProtocolVersion,
) -> redis::RedisResult<Client> {
    let address = if config.tls {
        ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.to_owned(), port)
    };
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(protocol)
        .set_db(i64::from(config.database))
        // It needs one more permission.
        .set_skip_set_lib_name();
    if let Some(username) = &config.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &config.password {
        settings = settings.set_password(password);
    }
    let info = address.into_connection_info()?.set_redis_settings(settings);
    #[cfg(feature = "tls")]
    if config.tls {
        choose_ciphers();
    }
    #[cfg(feature = "tls")]
    if let Some(root_cert) = &config.root_certificates {
        let root_cert = Some(root_cert.clone());
        return Client::build_with_tls(
            info,
            redis::TlsCertificates { client_tls: None, root_cert },
        );
    }
    Client::open(info)
}

/// Chooses Rustls's ciphers for the whole program, unless the program has. Rustls panics if none is
/// chosen and several are compiled in.
#[cfg(feature = "tls")]
fn choose_ciphers() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails if another thread has just chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Why there is no connection to the server at `address`.
pub(super) fn no_connection(address: &str, database: u32, error: &RedisError) -> Failure {
    // Of what connecting takes, only the choice of a database fails like this.
    let RedisKind::Server(_) = error.kind() else { return Failure::connecting(address, error) };
    match error.detail() {
        Some(detail) if detail.contains("out of range") => Failure::config(format!(
            "{address}: database {database}: index out of range (the server's `databases` setting)"
        )),
        Some(detail) if detail.contains("cluster mode") => Failure::config(format!(
            "{address}: database {database}: the server is one of a Cluster, which has only \
             database 0{USE_CLUSTER}"
        )),
        _ => Failure::connecting(address, error),
    }
}
