//! From errors of Redis and its connections to PState's.

use std::io;
use std::sync::Arc;

use pstate_core::{Error, ErrorKind, Key};
use redis::{ErrorKind as RedisKind, RedisError, ServerError};

/// Whether a command may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// Where a server says that a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// For good.
    Moved(String, u16),
    /// For this command: its slot is moving.
    Ask(String, u16),
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connect,
    Answer,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
    /// Whether it may pass.
    transient: bool,
    /// Whether a server may have done what was sent.
    pub(crate) sent: bool,
    /// The first word of the server's answer.
    code: Option<String>,
    /// The rest of the answer, if it redirects.
    redirect: Option<String>,
    /// The record that is to blame.
    key: Option<Key>,
}

impl Failure {
    /// There was no connection: nothing was sent.
    pub(crate) fn connecting(at: &str, error: &RedisError) -> Self {
        let failure = Self::from_client(at, error, Phase::Connect);
        Self { sent: false, ..failure }
    }

    /// The connection broke, or there was no answer in time.
    pub(crate) fn answering(at: &str, error: &RedisError) -> Self {
        Self::from_client(at, error, Phase::Answer)
    }

    fn from_client(at: &str, error: &RedisError, phase: Phase) -> Self {
        if let Some(server) = server_error(error) {
            return Self::refused(at, &server);
        }
        let (kind, transient) = match error.kind() {
            _ if error.is_timeout() => (ErrorKind::Timeout, true),
            // A certificate that is not accepted, or a server without encryption. Later it means
            // that the server, or a proxy in between, has ended the connection.
            RedisKind::Io if phase == Phase::Connect && is_about_data(error) => {
                (ErrorKind::Config, false)
            }
            // Something else listens there.
            RedisKind::Parse if phase == Phase::Connect => {
                return Self::config(format!(
                    "{at}: the server does not speak Redis's protocol; check host and port, and \
                     use rediss:// if it takes encrypted connections only"
                ));
            }
            // The server refuses the database.
            RedisKind::Server(_) if phase == Phase::Connect => (ErrorKind::Config, false),
            RedisKind::Io | RedisKind::Parse => (ErrorKind::Unavailable, true),
            // `Client` is about the ciphers, certificates and names of encrypted connections.
            RedisKind::AuthenticationFailed
            | RedisKind::InvalidClientConfig
            | RedisKind::Client => (ErrorKind::Config, false),
            _ => (ErrorKind::Other, false),
        };
        let what = match phase {
            Phase::Connect => "no connection",
            Phase::Answer => "no answer",
        };
        let why = match kind {
            ErrorKind::Timeout => "timed out".to_owned(),
            _ => without_arguments(&error.to_string()).to_owned(),
        };
        Self {
            kind,
            message: format!("{at}: {what}: {why}"),
            transient,
            sent: true,
            code: None,
            redirect: None,
            key: None,
        }
    }

    /// The server has not done it; or, of a script, not all of it.
    pub(crate) fn refused(at: &str, error: &ServerError) -> Self {
        let code = error.code();
        let details = without_arguments(error.details().unwrap_or_default()).trim_end_matches('.');
        let (kind, transient, hint) = match code {
            "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY"
            | "MOVED" | "ASK" | "NOREPLICAS" | "UNBLOCKED" => (ErrorKind::Unavailable, true, ""),
            "MISCONF" => (ErrorKind::Unavailable, true, "; the server cannot save to its disk"),
            "OOM" => (
                ErrorKind::Unavailable,
                true,
                "; raise the server's `maxmemory`, or remove what is not needed",
            ),
            "NOAUTH" => (ErrorKind::Config, false, ""),
            "WRONGPASS" => (ErrorKind::Config, false, "; check user name and password"),
            "NOPERM" => (
                ErrorKind::Config,
                false,
                "; the README lists the commands and keys that the user needs",
            ),
            "WRONGTYPE" => (
                ErrorKind::Corrupt,
                false,
                "; another program has stored something else under a key of ours",
            ),
            "ERR" if details.starts_with("max number of clients") => {
                (ErrorKind::Unavailable, true, "")
            }
            "ERR" if details.contains("DB index") => (ErrorKind::Config, false, ""),
            "ERR" if details.contains("cluster support disabled") => {
                (ErrorKind::Config, false, "; the server is no Cluster's: use redis://")
            }
            "ERR" if details.contains("cluster mode") => (ErrorKind::Config, false, USE_CLUSTER),
            "ERR" if details.starts_with("AUTH") || details.contains("without any password") => {
                (ErrorKind::Config, false, "")
            }
            _ => (ErrorKind::Other, false, ""),
        };
        let message = match code {
            // The server's own words explain its protocol.
            "NOAUTH" => {
                format!("{at}: the server asks for a password; give one: redis://:PASSWORD@host")
            }
            _ => format!("{at}: {code} {details}{hint}"),
        };
        let redirect = matches!(code, "MOVED" | "ASK").then(|| details.to_owned());
        // A script that fails half way may have changed something before. Transient errors come
        // before its first change, or not at all, because the server does nothing else meanwhile.
        let sent = !transient && details.contains("@user_script");
        Self { kind, message, transient, sent, code: Some(code.to_owned()), redirect, key: None }
    }

    /// The same, of a server that was taken for one by itself: only a Cluster's sends elsewhere.
    pub(crate) fn by_itself(self) -> Self {
        let about_slots = ["MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT", "TRYAGAIN"];
        if !self.code.as_deref().is_some_and(|code| about_slots.contains(&code)) {
            return self;
        }
        let place = self.message.split(": ").next().unwrap_or_default();
        Self::config(format!("{place}: the server is one of a Cluster{USE_CLUSTER}"))
    }

    /// Fewer answers than there were commands.
    pub(crate) fn cut_short(at: &str) -> Self {
        let message = format!("{at}: an answer is missing");
        Self {
            kind: ErrorKind::Other,
            message,
            transient: false,
            sent: true,
            code: None,
            redirect: None,
            key: None,
        }
    }

    pub(crate) fn config(message: String) -> Self {
        Self {
            kind: ErrorKind::Config,
            message,
            transient: false,
            sent: false,
            code: None,
            redirect: None,
            key: None,
        }
    }

    /// Another program has stored a value of type `found` under the name of a record.
    pub(crate) fn corrupt(key: &Key, found: &str) -> Self {
        Self {
            kind: ErrorKind::Corrupt,
            message: format!(
                "the record's key holds a {found} that another program has stored; delete or \
                 rename it"
            ),
            transient: false,
            sent: false,
            code: None,
            redirect: None,
            key: Some(key.clone()),
        }
    }

    pub(crate) fn unavailable(message: String) -> Self {
        Self {
            kind: ErrorKind::Unavailable,
            message,
            transient: true,
            sent: false,
            code: None,
            redirect: None,
            key: None,
        }
    }

    /// Whether the server's answer begins with this word.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Where to ask instead. A server that does not know its own name means the host that was
    /// asked.
    pub(crate) fn redirect(&self, asked: &str) -> Option<Redirect> {
        let place = self.redirect.as_deref()?.split_ascii_whitespace().nth(1)?;
        let (host, port) = place.rsplit_once(':')?;
        let host = if host.is_empty() || host == "?" { asked } else { host };
        let (host, port) = (host.to_owned(), port.parse().ok()?);
        Some(if self.is("ASK") { Redirect::Ask(host, port) } else { Redirect::Moved(host, port) })
    }

    /// Whether another server, or the same one later, may do it. Nothing was done.
    pub(crate) fn is_about_routing(&self) -> bool {
        let later =
            ["TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "LOADING", "MOVED", "ASK"];
        match &self.code {
            Some(code) => !self.sent && later.contains(&code.as_str()),
            None => self.may_be_sent_again(),
        }
    }

    /// The same, for a command that changes no record.
    pub(crate) fn without_effect(self) -> Self {
        Self { sent: false, ..self }
    }

    /// The same, after another part of the call was done.
    pub(crate) fn with_effect(self) -> Self {
        Self { sent: true, ..self }
    }

    /// Whether the same call may send it again: it may pass, and nothing has happened.
    pub(crate) fn may_be_sent_again(&self) -> bool {
        self.transient && !self.sent && self.kind != ErrorKind::Config
    }

    /// Whether the same call may send it again if it is a read.
    pub(crate) fn may_be_read_again(&self) -> bool {
        self.transient && self.sent
    }

    pub(crate) fn into_error(self, effect: Effect) -> Error {
        let kind = match self.kind {
            // These kinds say that nothing has happened.
            ErrorKind::Config | ErrorKind::Corrupt if self.sent && effect == Effect::Write => {
                ErrorKind::Other
            }
            kind => kind,
        };
        let mut error = Error::new(kind, self.message);
        if let Some(key) = &self.key {
            error = error.at_key(key);
        }
        if self.transient && (effect == Effect::Read || !self.sent) {
            error.retryable()
        } else {
            error
        }
    }
}

/// What to do about a server of a Cluster.
pub(crate) const USE_CLUSTER: &str = "; use redis+cluster:// (feature `cluster`)";

/// Whether the server's bytes were not understood.
fn is_about_data(error: &RedisError) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let shared = error.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>();
        let io = match shared {
            Some(shared) => shared.downcast_ref::<io::Error>(),
            None => error.downcast_ref::<io::Error>(),
        };
        if io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The server's own error, if it is one.
fn server_error(error: &RedisError) -> Option<ServerError> {
    ServerError::try_from(error.clone()).ok()
}

/// Cuts the arguments off that Redis quotes of commands that it does not know: they may hold values
/// and passwords.
fn without_arguments(details: &str) -> &str {
    details.split(", with args beginning with").next().unwrap_or_default()
}

/// An answer of another type than the command has.
pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Other, format!("the server's answer is no {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(answer: &str) -> Error {
        let value = redis::parse_redis_value(format!("-{answer}\r\n").as_bytes()).expect("a value");
        let error = ServerError::try_from(value.extract_error().expect_err("an error"));
        Failure::refused("host:1", &error.expect("from a server")).into_error(Effect::Write)
    }

    #[test]
    fn what_passes_is_retryable_also_for_a_write_because_nothing_was_done() {
        for answer in ["LOADING Redis is loading", "TRYAGAIN x", "READONLY x", "OOM x", "MISCONF x"]
        {
            let error = refused(answer);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{answer}");
            assert!(error.is_retryable(), "{answer}");
        }
    }

    #[test]
    fn what_is_set_up_wrongly_is_not_retryable() {
        for answer in ["NOAUTH x", "WRONGPASS x", "NOPERM x", "ERR DB index is out of range"] {
            let error = refused(answer);
            assert_eq!(error.kind(), ErrorKind::Config, "{answer}");
            assert!(!error.is_retryable(), "{answer}");
        }
    }

    #[test]
    fn a_missing_password_says_where_to_give_it() {
        let error = refused("NOAUTH HELLO must be called with the client already authenticated");
        assert_eq!(
            error.message(),
            "host:1: the server asks for a password; give one: redis://:PASSWORD@host"
        );
    }

    #[test]
    fn arguments_are_not_quoted() {
        let error = refused("ERR unknown command `X`, with args beginning with: `secret`");
        assert!(!error.to_string().contains("secret"), "{error}");
        let broken = RedisError::from((
            RedisKind::Client,
            "x",
            "unknown command `X`, with args beginning with: `secret`".to_owned(),
        ));
        let error = Failure::answering("host:1", &broken).into_error(Effect::Read);
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn after_a_broken_connection_only_a_read_is_retryable() {
        let broken = || RedisError::from((RedisKind::Io, "broken"));
        let answering = || Failure::answering("host:1", &broken());
        assert!(answering().into_error(Effect::Read).is_retryable());
        assert!(!answering().into_error(Effect::Write).is_retryable());
        let connecting = Failure::connecting("host:1", &broken());
        assert!(connecting.into_error(Effect::Write).is_retryable());
    }

    #[test]
    fn data_that_is_not_understood_means_a_wrong_configuration_only_while_connecting() {
        let alert = || RedisError::from(io::Error::from(io::ErrorKind::InvalidData));
        let error = Failure::connecting("host:1", &alert()).into_error(Effect::Write);
        assert_eq!(error.kind(), ErrorKind::Config);
        let error = Failure::answering("host:1", &alert()).into_error(Effect::Write);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "it may have been done");
        assert!(!error.is_retryable());
        let error = Failure::answering("host:1", &alert()).into_error(Effect::Read);
        assert!(error.is_retryable());
    }
}
