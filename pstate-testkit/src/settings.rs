//! How long and from which seed random tests run.

use std::env;
use std::time::Duration;

/// What the environment says about random tests.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `PSTATE_TESTKIT_SEED` | where random choices begin, a number | another one in each run |
/// | `PSTATE_TESTKIT_ROUNDS` | how often each random test is repeated | each test has its own |
/// | `PSTATE_TESTKIT_TIME_LIMIT` | seconds after which a case counts as hanging | 120 |
/// | `PSTATE_TESTKIT_HUGE` | `1`: try values of more than 2 GiB, which takes 8 GiB of memory | off |
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where random choices begin.
    pub seed: u64,
    /// How often each random test is repeated, unless it is left to the test.
    pub rounds: Option<usize>,
    /// After this a case counts as hanging.
    pub time_limit: Duration,
    /// Whether values of more than 2 GiB are tried.
    pub huge: bool,
}

impl Settings {
    const TIME_LIMIT: Duration = Duration::from_secs(120);

    /// What the environment says.
    ///
    /// # Panics
    /// If a variable holds something else than a number.
    pub fn from_env() -> Self {
        let rounds = number("PSTATE_TESTKIT_ROUNDS")
            .map(|rounds| usize::try_from(rounds).unwrap_or(usize::MAX));
        Self {
            seed: number("PSTATE_TESTKIT_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            rounds,
            time_limit: number("PSTATE_TESTKIT_TIME_LIMIT")
                .map_or(Self::TIME_LIMIT, Duration::from_secs),
            huge: number("PSTATE_TESTKIT_HUGE").is_some_and(|huge| huge != 0),
        }
    }

    /// How often to repeat a test that is repeated `default` times if nobody says otherwise.
    pub fn rounds(&self, default: usize) -> usize {
        self.rounds.unwrap_or(default)
    }

    /// The seed of one round. The first round has the seed itself, so that a failing round is
    /// replayed by its seed and one round.
    pub fn round_seed(&self, round: usize) -> u64 {
        self.seed.wrapping_add(round as u64)
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is to be a number, and is {text:?}")))
}
