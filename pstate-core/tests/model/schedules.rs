//! Running a scenario in many schedules.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PSTATE_MODEL_SCHEDULES` | in how many schedules each scenario runs | 3,000 |
//! | `PSTATE_MODEL_SEED` | where they begin, a number | another one in each run |
//! | `PSTATE_MODEL_REPLAY` | the one schedule to run, as a failure has printed it | |

use std::env;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Scheduler,
    UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, Runner};

/// At how many places PCT interrupts the task that it prefers.
const INTERRUPTIONS: usize = 4;

/// Runs a scenario in random schedules: two thirds choose anew at each step, one third by PCT, which
/// lets one task run for long and interrupts it at few places.
pub(crate) fn check<S>(scenario: impl Fn() -> S + Copy + Send + Sync + 'static)
where
    S: Future<Output = ()> + 'static,
{
    if let Ok(schedule) = env::var("PSTATE_MODEL_REPLAY") {
        run(ReplayScheduler::new_from_encoded(&schedule), scenario);
        return;
    }
    let schedules = number("PSTATE_MODEL_SCHEDULES").unwrap_or(3_000);
    let schedules = usize::try_from(schedules).unwrap_or(usize::MAX);
    let seed = number("PSTATE_MODEL_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("PSTATE_MODEL_SEED={seed} PSTATE_MODEL_SCHEDULES={schedules}");
    println!("One schedule is run again with PSTATE_MODEL_REPLAY='...'.");
    let by_pct = schedules / 3;
    run(RandomScheduler::new_from_seed(seed, schedules - by_pct), scenario);
    run(PctScheduler::new_from_seed(seed, INTERRUPTIONS, by_pct), scenario);
}

/// Fails unless the same schedule does the same again: otherwise no failure could be replayed.
pub(crate) fn check_repeatable<S>(scenario: impl Fn() -> S + Copy + Send + Sync + 'static)
where
    S: Future<Output = ()> + 'static,
{
    run(UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new(100)), scenario);
}

/// Runs a scenario in all schedules that the scheduler has, and says how many those were.
pub(crate) fn run<S>(
    scheduler: impl Scheduler + 'static,
    scenario: impl Fn() -> S + Copy + Send + Sync + 'static,
) -> usize
where
    S: Future<Output = ()> + 'static,
{
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        // The jitter of delays.
        fastrand::seed(0);
        shuttle::future::block_on(scenario());
    })
}

/// A number below `end`, which belongs to the schedule.
pub(crate) fn random(end: usize) -> usize {
    thread_rng().gen_range(0..end)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is to be a number, and is {text:?}")))
}
