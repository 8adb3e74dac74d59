//! Calling scripts: what a server does in one step.

use redis::Cmd;
use sha1::{Digest, Sha1};

use super::servers::Servers;
use super::unit::{Answers, Unit};
use crate::error::Effect;

/// A script, and the digest that servers know it by.
#[derive(Debug)]
pub(crate) struct Script {
    text: &'static str,
    digest: String,
}

/// How a script is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its digest.
    Digest,
    /// With its text, which the server then remembers.
    Text,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        let mut digest = String::new();
        for byte in Sha1::digest(text) {
            for half in [byte >> 4, byte & 15] {
                digest.extend(char::from_digit(half.into(), 16));
            }
        }
        Self { text, digest }
    }

    /// A call. The caller adds the keys and the arguments.
    pub(crate) fn call(&self, form: Form, keys: usize) -> Cmd {
        let mut command = match form {
            Form::Digest => redis::cmd("EVALSHA"),
            Form::Text => redis::cmd("EVAL"),
        };
        match form {
            Form::Digest => command.arg(&self.digest),
            Form::Text => command.arg(self.text),
        };
        command.arg(keys);
        command
    }
}

/// Sends units that call scripts: by their digests, and again with the text where a server does not
/// know it, as after a restart. A server that does not know a script has done nothing.
pub(crate) async fn call_all(
    servers: &Servers,
    effect: Effect,
    count: usize,
    unit: impl Fn(usize, Form) -> Unit,
) -> Vec<Answers> {
    let units = (0..count).map(|n| unit(n, Form::Digest)).collect();
    let mut answers = servers.send(units, effect).await;
    let unknown: Vec<usize> = (0..answers.len())
        .filter(|&n| answers[n].as_ref().is_err_and(|failure| failure.is("NOSCRIPT")))
        .collect();
    if !unknown.is_empty() {
        let units = unknown.iter().map(|&n| unit(n, Form::Text)).collect();
        let again = servers.send(units, effect).await;
        for (n, answer) in unknown.into_iter().zip(again) {
            answers[n] = answer;
        }
    }
    answers
}

/// [`call_all`] for one unit.
pub(crate) async fn call_one(
    servers: &Servers,
    effect: Effect,
    unit: impl Fn(Form) -> Unit,
) -> Answers {
    let mut answers = call_all(servers, effect, 1, |_, form| unit(form)).await;
    answers.pop().unwrap_or_else(|| Ok(Vec::new()))
}
