//! What this process was asked to do.

use std::env;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// The number of a document.
pub(crate) type Slot = u32;

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) role: Role,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    backend: Option<String>,
    fault: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Role {
    Driver,
    Worker(Task),
}

/// What a worker does: writes the documents of one range, reads those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) url: String,
    pub(crate) writes: Range<Slot>,
    pub(crate) reads: Range<Slot>,
    pub(crate) seed: u64,
}

impl Task {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { url, writes, reads, seed } = self;
        let numbers = [writes.start, writes.end, reads.start, reads.end].map(|n| n.to_string());
        let mut arguments = vec!["worker".to_owned(), url.clone()];
        arguments.extend(numbers);
        arguments.push(seed.to_string());
        arguments
    }

    fn parse(words: &[String]) -> Option<Self> {
        let [url, numbers @ .., seed] = words else { return None };
        let numbers: Vec<Slot> = numbers.iter().map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [writes_from, writes_to, reads_from, reads_to] = numbers[..] else { return None };
        let (writes, reads) = (writes_from..writes_to, reads_from..reads_to);
        Some(Self { url: url.clone(), writes, reads, seed: seed.parse().ok()? })
    }
}

impl Arguments {
    pub(crate) fn from_env() -> Result<Self, String> {
        let words: Vec<String> = env::args().skip(1).collect();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut arguments = Self {
            role: Role::Driver,
            seconds: 60,
            seed: u64::from(since.subsec_nanos()),
            backend: None,
            fault: None,
        };
        if let [first, task @ ..] = &words[..]
            && first == "worker"
        {
            let task = Task::parse(task).ok_or_else(|| format!("no task of a worker: {task:?}"))?;
            arguments.role = Role::Worker(task);
            return Ok(arguments);
        }
        for pair in words.chunks(2) {
            let [option, value] = pair else { return Err(format!("{} has no value", pair[0])) };
            let number = || value.parse().map_err(|_| format!("{option} {value}: no number"));
            match &**option {
                "--seconds" => arguments.seconds = number()?,
                "--seed" => arguments.seed = number()?,
                "--backend" => arguments.backend = Some(value.clone()),
                "--fault" => arguments.fault = Some(value.clone()),
                _ => return Err(format!("{option} is unknown")),
            }
        }
        Ok(arguments)
    }

    /// Whether a fault of this name is wanted, of this backend.
    pub(crate) fn selects(&self, backend: &str, fault: &str) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|w| w == name);
        is(&self.backend, backend) && is(&self.fault, fault)
    }
}
