use std::path::Path;

/// The options of a [`Server`](super::Server).
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    pub(super) arguments: Vec<String>,
    pub(super) password: Option<String>,
    pub(super) tls: bool,
}

impl ServerOptions {
    /// A server without persistence, whose user `default` needs no password.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a setting, as in `redis.conf`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.push(value.to_owned());
        self
    }

    /// Syncs every write to the disk before acknowledging it.
    pub fn durable(self) -> Self {
        self.set("appendonly", "yes").set("appendfsync", "always")
    }

    /// Sets the password of the user `default`, also for replicas.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.set("requirepass", password).set("masterauth", password)
    }

    /// Enables TLS, with a certificate and its key in PEM files. Clients need no certificate.
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = true;
        self.set("tls-cert-file", &certificate.display().to_string())
            .set("tls-key-file", &key.display().to_string())
            .set("tls-ca-cert-file", &certificate.display().to_string())
            .set("tls-auth-clients", "no")
    }
}
