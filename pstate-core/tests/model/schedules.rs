//! Running a scenario in many schedules.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PSTATE_MODEL_SCHEDULES` | the number of schedules of each scenario | 3,000 |
//! | `PSTATE_MODEL_SEED` | the seed of the schedules, a number | a new one in each run |
//! | `PSTATE_MODEL_REPLAY` | one schedule, as a failure has printed it | |

use std::env;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Scheduler,
    UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, Runner};

/// The number of points at which PCT interrupts the running task.
const INTERRUPTIONS: usize = 4;

/// Runs a scenario in random schedules. Two thirds choose a random task at each step. One third
/// uses PCT, which runs one task for long and interrupts it at few points.
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
    println!("PSTATE_MODEL_REPLAY='...' replays one schedule.");
    let by_pct = schedules / 3;
    run(RandomScheduler::new_from_seed(seed, schedules - by_pct), scenario);
    run(PctScheduler::new_from_seed(seed, INTERRUPTIONS, by_pct), scenario);
}

/// Checks that a schedule does the same when it runs again; otherwise no failure can be replayed.
pub(crate) fn check_repeatable<S>(scenario: impl Fn() -> S + Copy + Send + Sync + 'static)
where
    S: Future<Output = ()> + 'static,
{
    run(UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new(100)), scenario);
}

/// Runs a scenario in all schedules of the scheduler, and returns their number.
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
        // Delays have a random jitter, which must be the same in a replay.
        fastrand::seed(0);
        shuttle::future::block_on(scenario());
    })
}

/// A random number below `end`. It is part of the schedule, so that a replay draws it again.
pub(crate) fn random(end: usize) -> usize {
    thread_rng().gen_range(0..end)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}
