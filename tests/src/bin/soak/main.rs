//! Rounds of faults under load: `cargo xtask soak`.
//!
//! Each round starts processes that read and write one store, does something bad to the store or to
//! a process, and checks everything that the processes report against one history: no acknowledged
//! write is lost, no read is staler than the bound, no call is stuck, memory and disk stay bounded.
//!
//! A new fault is a file in `faults/`, and a line in its list.

mod arguments;
mod backend;
mod driver;
mod fault;
mod faults;
mod history;
mod place;
mod process;
mod round;
mod worker;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Role};
use crate::fault::Fault;

fn main() -> ExitCode {
    match Arguments::from_env() {
        Ok(Arguments { role: Role::Worker(task), .. }) => worker::run(&task),
        Ok(arguments) => soak(&arguments),
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::FAILURE
        }
    }
}

fn soak(arguments: &Arguments) -> ExitCode {
    let is_selected =
        |fault: &&dyn Fault| arguments.selects(&fault.backend().to_string(), fault.name());
    let faults: Vec<&dyn Fault> = faults::ALL.iter().copied().filter(is_selected).collect();
    if faults.is_empty() {
        eprintln!("soak: no such fault; there are");
        for fault in faults::ALL {
            eprintln!("  --backend {} --fault {}", fault.backend(), fault.name());
        }
        return ExitCode::FAILURE;
    }
    let (begin, limit) = (Instant::now(), Duration::from_secs(arguments.seconds));
    println!("seed {}, {} faults, {} s", arguments.seed, faults.len(), arguments.seconds);
    let mut injected: BTreeMap<String, usize> = BTreeMap::new();
    let (mut violations, mut count) = (Vec::new(), 0);
    let mut rounds = 0_u64;
    // Every fault comes once, however short the time is.
    while begin.elapsed() < limit || rounds < faults.len() as u64 {
        let at = usize::try_from(rounds).unwrap_or_default() % faults.len();
        let (fault, seed) = (faults[at], arguments.seed.wrapping_add(rounds));
        rounds += 1;
        let name = format!("{} {}", fault.backend(), fault.name());
        let report = driver::run(fault, seed);
        *injected.entry(name.clone()).or_default() += report.injected;
        println!("{name} (seed {seed}): {}", report.summary());
        if report.violations.is_empty() {
            continue;
        }
        count += report.violations.len();
        violations.push(format!(
            "cargo xtask soak --seconds 0 --backend {} --fault {} --seed {seed}\n    {}",
            fault.backend(),
            fault.name(),
            report.violations.join("\n    ")
        ));
    }
    println!("\n{rounds} rounds in {:.0} s, injected faults:", begin.elapsed().as_secs_f64());
    for (name, count) in &injected {
        println!("  {count:5} {name}");
    }
    println!("{count} violations");
    for violation in &violations {
        println!("  {violation}");
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
