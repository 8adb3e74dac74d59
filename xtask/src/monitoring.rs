//! Alert rules and dashboard, against what the example has exposed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::{Value, json};

use crate::cargo::Failed;
use crate::tools;

mod recording;

/// Which alerts fire at the end of which recording.
const EXPECTED: [(&str, &[&str]); 2] = [
    ("healthy", &[]),
    (
        "trouble",
        &[
            "PStateCacheHitRateLow",
            "PStateFlushSlow",
            "PStateMigrationsDoNotFall",
            "PStateOperationsSlow",
            "PStateWriteBackQueueLong",
        ],
    ),
];

/// How often Prometheus is taken to have asked: the recorded samples are closer together.
const SCRAPE_SECONDS: usize = 15;

/// What names of metrics begin with.
const PREFIXES: [&str; 2] = ["pstate_", "db_client_"];

#[derive(Args)]
pub(crate) struct Monitoring {
    /// Run the example twice, healthy and in trouble, and record anew what it exposes.
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(monitoring: &Monitoring) -> Result<(), Failed> {
    tools::require("promtool", "prometheus")?;
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring"));
    if monitoring.record {
        for (name, _) in EXPECTED {
            recording::record(name, &docs.join("recorded"))?;
        }
    }
    let rules = docs.join("alerts.yml");
    promtool(&["check", "rules", text(&rules)?], None)?;

    let dashboard: Value = serde_json::from_str(&read(&docs.join("dashboard.json"))?)
        .map_err(|error| failed("dashboard.json", &error))?;
    let expressions = check_dashboard(&dashboard)?;
    let work = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/monitoring"));
    fs::create_dir_all(work).map_err(|error| failed("target/monitoring", &error))?;
    let queries = work.join("dashboard.rules.json");
    write(&queries, &as_rules(&expressions).to_string())?;
    promtool(&["check", "rules", text(&queries)?], None)?;

    for (name, alerts) in EXPECTED {
        let exposed = read(&docs.join(format!("recorded/{name}.prom")))?;
        promtool(&["check", "metrics"], Some(&exposed))?;
        let known = samples(&exposed);
        let rules = read(&rules)?;
        for (file, texts) in
            [("alerts.yml", vec![rules.as_str()]), ("dashboard.json", refs(&expressions))]
        {
            let named: BTreeSet<&str> = texts.into_iter().flat_map(metrics_in).collect();
            let unknown: Vec<&str> = named.into_iter().filter(|it| !known.contains(*it)).collect();
            if !unknown.is_empty() {
                let unknown = unknown.join(", ");
                return Err(Failed(format!("{file} names what nobody exposes: {unknown}")));
            }
        }
        let recorded = read(&docs.join(format!("recorded/{name}.series")))?;
        let test = work.join(format!("{name}.test.json"));
        write(&test, &as_test(&docs.join("alerts.yml"), &recorded, alerts)?.to_string())?;
        promtool(&["test", "rules", text(&test)?], None)?;
    }
    println!("alerts and dashboard name only what is exposed, and fire when they should: ok");
    Ok(())
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Checks what Grafana needs, and gives all queries.
fn check_dashboard(dashboard: &Value) -> Result<Vec<String>, Failed> {
    let refuse = |why: &str| Err(Failed(format!("dashboard.json: {why}")));
    for member in ["title", "uid", "schemaVersion", "panels", "templating", "time"] {
        if dashboard[member].is_null() {
            return refuse(&format!("has no {member}"));
        }
    }
    let (mut ids, mut expressions) = (BTreeSet::new(), Vec::new());
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or_default();
        if title.is_empty() || !ids.insert(panel["id"].as_u64()) {
            return refuse(&format!("a panel without a title, or an id twice: {title:?}"));
        }
        let place = &panel["gridPos"];
        if ["h", "w", "x", "y"].iter().any(|member| !place[member].is_u64()) {
            return refuse(&format!("the panel {title:?} has no place"));
        }
        let targets = panel["targets"].as_array();
        if panel["type"] != "row" && targets.is_none_or(Vec::is_empty) {
            return refuse(&format!("the panel {title:?} shows nothing"));
        }
        for target in targets.into_iter().flatten() {
            match target["expr"].as_str() {
                Some(expression) => expressions.push(expression.to_owned()),
                None => {
                    return refuse(&format!("the panel {title:?} has a target without a query"));
                }
            }
        }
    }
    Ok(expressions)
}

/// The queries as recording rules, so that promtool parses them.
fn as_rules(expressions: &[String]) -> Value {
    let rules = expressions.iter().enumerate().map(|(number, expression)| {
        let expression = expression
            .replace("$__rate_interval", "5m")
            .replace("$job", ".*")
            .replace("$instance", ".*");
        json!({ "record": format!("panel:{number}"), "expr": expression })
    });
    json!({ "groups": [{ "name": "dashboard", "rules": rules.collect::<Vec<_>>() }] })
}

/// A test for promtool: exactly these alerts fire at the end of a recording.
fn as_test(rules: &Path, recorded: &str, alerts: &[&str]) -> Result<Value, Failed> {
    let mut scrapes = 0;
    let mut series = Vec::new();
    for line in recorded.lines() {
        let (name, values) = line.split_once('\t').ok_or_else(|| {
            Failed("a recorded line is no series: cargo xtask monitoring --record".to_owned())
        })?;
        scrapes = scrapes.max(values.split(' ').count());
        series.push(json!({ "series": name, "values": values }));
    }
    let firing: Vec<Value> = alerts
        .iter()
        .map(|alert| json!({ "labels": format!("{{alertname=\"{alert}\"}}"), "value": 1 }))
        .collect();
    let interval = format!("{SCRAPE_SECONDS}s");
    Ok(json!({
        "rule_files": [rules],
        "evaluation_interval": interval,
        "tests": [{
            "interval": interval,
            "input_series": series,
            "promql_expr_test": [{
                "expr": "count by (alertname) (ALERTS{alertstate=\"firing\"})",
                "eval_time": format!("{}s", (scrapes - 1) * SCRAPE_SECONDS),
                "exp_samples": firing,
            }],
        }],
    }))
}

/// The names of samples in what was exposed.
fn samples(exposed: &str) -> BTreeSet<&str> {
    let lines = exposed.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// The names of metrics in a query, or in something with queries.
fn metrics_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

fn promtool(arguments: &[&str], input: Option<&str>) -> Result<(), Failed> {
    let shown = format!("promtool {}", arguments.join(" "));
    println!("$ {shown}");
    let failed = |error: std::io::Error| Failed(format!("{shown}: {error}"));
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        std::io::Write::write_all(&mut pipe, input.as_bytes()).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(Failed(format!("{shown}: {status}"))) }
}

fn text(path: &Path) -> Result<&str, Failed> {
    path.to_str().ok_or_else(|| Failed(format!("{} is no UTF-8", path.display())))
}

fn read(path: &Path) -> Result<String, Failed> {
    fs::read_to_string(path).map_err(|error| failed(&path.display().to_string(), &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    fs::write(path, text).map_err(|error| failed(&path.display().to_string(), &error))
}

fn failed(what: &str, error: &dyn std::error::Error) -> Failed {
    Failed(format!("{what}: {error}"))
}
