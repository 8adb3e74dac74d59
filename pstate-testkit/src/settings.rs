//! Settings of random and long-running tests.

use std::env;
use std::time::Duration;

/// Settings of random tests, usually read from the environment.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `PSTATE_TESTKIT_SEED` | the seed of random choices, a number | a new one in each run |
/// | `PSTATE_TESTKIT_ROUNDS` | the number of rounds of each random test | each test has its own |
/// | `PSTATE_TESTKIT_TIME_LIMIT` | seconds after which a case counts as hanging | 120 |
/// | `PSTATE_TESTKIT_LEVEL` | `quick` leaves out the cases of the suite that take long | `full` |
/// | `PSTATE_TESTKIT_HUGE` | `1`: test values of more than 2 GiB, with 8 GiB of memory | off |
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed of random choices.
    pub seed: u64,
    /// The number of rounds of each random test; `None` leaves it to the test.
    pub rounds: Option<usize>,
    /// The time after which a case counts as hanging.
    pub time_limit: Duration,
    /// Which cases of the conformance suite run.
    pub level: Level,
    /// Whether values of more than 2 GiB are tested.
    pub huge: bool,
}

/// Which cases of the conformance suite run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Those that take less than about a second: for the time in which an adapter is written.
    Quick,
    /// All.
    Full,
}

impl Settings {
    const TIME_LIMIT: Duration = Duration::from_secs(120);

    /// Reads the settings from the environment.
    ///
    /// # Panics
    /// If a variable holds anything but a number, or the level is neither `quick` nor `full`.
    pub fn from_env() -> Self {
        let rounds = number("PSTATE_TESTKIT_ROUNDS")
            .map(|rounds| usize::try_from(rounds).unwrap_or(usize::MAX));
        Self {
            seed: number("PSTATE_TESTKIT_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            rounds,
            time_limit: number("PSTATE_TESTKIT_TIME_LIMIT")
                .map_or(Self::TIME_LIMIT, Duration::from_secs),
            level: level("PSTATE_TESTKIT_LEVEL"),
            huge: number("PSTATE_TESTKIT_HUGE").is_some_and(|huge| huge != 0),
        }
    }

    /// The number of rounds of a test that has `default` rounds unless the settings say otherwise.
    pub fn rounds(&self, default: usize) -> usize {
        self.rounds.unwrap_or(default)
    }

    /// The seed of one round. The first round uses the seed itself, so that a failed round is
    /// replayed with its own seed and one round.
    pub fn round_seed(&self, round: usize) -> u64 {
        self.seed.wrapping_add(round as u64)
    }
}

fn level(variable: &str) -> Level {
    match env::var(variable).as_deref() {
        Ok("quick") => Level::Quick,
        Ok("full") | Err(_) => Level::Full,
        Ok(other) => panic!("{variable} must be quick or full, not {other:?}"),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}
