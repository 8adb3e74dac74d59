//! Recording what the example exposes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cargo::{Failed, cargo, target_directory};

/// The package of the example, and its program.
const EXAMPLE: &str = "pstate-example-metrics";

/// How many times it is asked, and how often: half an hour of scrapes in a minute.
const SCRAPES: usize = 121;
const INTERVAL: Duration = Duration::from_millis(500);

/// What the alerts look at; the rest is in the last scrape only.
const RECORDED: [&str; 5] = [
    "pstate_cache_lookups_total",
    "pstate_write_back_queue_size",
    "pstate_flush_duration_seconds_bucket",
    "pstate_operation_slow_total",
    "pstate_migration_documents_total",
];

/// Ends the example when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Runs the example, and writes the last scrape and all series that alerts look at to `directory`.
pub(super) fn record(name: &str, directory: &Path) -> Result<(), Failed> {
    cargo(["build", "--release", "--package", EXAMPLE])?;
    let address = free_address().map_err(|error| failed(&error))?;
    let program = format!("{}/release/{EXAMPLE}", target_directory()?);
    let mut command = Command::new(program);
    command.args(["--port", &address.port().to_string()]);
    if name == "trouble" {
        command.arg("--trouble");
    }
    println!("$ {command:?}");
    let _running = Running(command.spawn().map_err(|error| failed(&error))?);

    let mut last = first_scrape(address)?;
    let mut series: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    let begun = Instant::now();
    for number in 0..SCRAPES {
        let due = INTERVAL * u32::try_from(number).unwrap_or(u32::MAX);
        sleep(due.saturating_sub(begun.elapsed()));
        last = scrape(address).map_err(|error| failed(&error))?;
        for (sample, value) in samples(&last) {
            let values = series.entry(sample.to_owned()).or_default();
            values.resize(number, None);
            values.push(Some(value.to_owned()));
        }
    }
    let mut text = String::new();
    for (sample, values) in series {
        let values: Vec<&str> =
            values.iter().map(|value| value.as_deref().unwrap_or("_")).collect();
        // Writing to a text cannot fail.
        _ = writeln!(text, "{sample}\t{}", values.join(" "));
    }
    for (file, text) in [("prom", sorted(&last)), ("series", text)] {
        let path = directory.join(format!("{name}.{file}"));
        fs::write(&path, text).map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

/// The samples that alerts look at, with their values.
fn samples(exposed: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = exposed.lines().filter_map(|line| line.rsplit_once(' '));
    lines.filter(|(sample, _)| RECORDED.iter().any(|name| sample.split('{').next() == Some(*name)))
}

/// The same in an order that doesn't change from one recording to the next: each metric with its
/// lines.
fn sorted(exposed: &str) -> String {
    let mut metrics: Vec<&str> =
        exposed.split("\n\n").map(str::trim).filter(|metric| !metric.is_empty()).collect();
    metrics.sort_unstable();
    metrics.join("\n\n") + "\n"
}

/// Nobody else is likely to take it meanwhile.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Waits until somebody answers.
fn first_scrape(address: SocketAddr) -> Result<String, Failed> {
    let begun = Instant::now();
    loop {
        match scrape(address) {
            Ok(text) if text.contains(RECORDED[0]) => return Ok(text),
            Err(error) if begun.elapsed() > Duration::from_secs(30) => return Err(failed(&error)),
            _ => {}
        }
        sleep(Duration::from_millis(50));
    }
}

fn scrape(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| io::Error::other("no answer of HTTP"))
}

fn failed(error: &io::Error) -> Failed {
    Failed(format!("{EXAMPLE}: {error}"))
}
