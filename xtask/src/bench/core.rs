//! The benchmarks of the counting and of requests that wait, and their targets.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::page;
use super::table::{Measured, Target, table};
use crate::command::{self, command, output, root};

const TARGETS: &[Target] = &[
    ("in + out/", " 1 keys", 1.6),
    ("in + out/", " 100 keys", 1.6),
    ("two threads to one/", " 1 keys", 1.6),
    ("two threads to one/", " 100 keys", 0.75),
    ("tick/", " 100000 keys", 40.0),
    ("tick/", " 1000000 keys", 60.0),
    ("in + out during ticks/", ", p99.9", 5.0),
    ("in + out during ticks/", " 1000000 keys, longest", 100.0),
    ("memory/", " keys", 128.0),
    ("memory/", "all are gone", 1.0),
    ("held request, ", "a slot is free, p99", 200.0),
    ("held request, ", "a backend is ready, p99", 200.0),
];

pub(crate) fn run() -> Result<()> {
    let criterion = root().join("target/criterion");
    if criterion.exists() {
        // What an earlier run left would be read as this one's.
        fs::remove_dir_all(&criterion)?;
    }
    for line in [
        "cargo bench --package reporter-core --bench core",
        "cargo bench --package reporter-runtime --bench requests",
    ] {
        command::run(command(line).env("CRITERION_HOME", &criterion))?;
    }
    let mut results = Vec::new();
    ratios(&criterion, &mut results)?;
    results.sort_by_key(|result| natural(&result.name));
    for line in [
        "cargo bench --package reporter-runtime --bench limits",
        "cargo bench --package reporter-runtime --bench first_report",
        "cargo bench --package activator-bin --bench held",
    ] {
        results.extend(
            output(&mut command(line))?
                .lines()
                .filter_map(Measured::parse),
        );
    }
    let table = table(&results, TARGETS);
    print!("{table}");
    page::write("core", &table)
}

/// The medians that criterion left in its folder.
fn ratios(criterion: &Path, results: &mut Vec<Measured>) -> Result<()> {
    for group in fs::read_dir(criterion)? {
        for function in fs::read_dir(group?.path())? {
            let new = function?.path().join("new");
            if !new.exists() {
                continue;
            }
            let read = |file: &str| -> Result<Value> {
                let text =
                    fs::read_to_string(new.join(file)).with_context(|| format!("{new:?}"))?;
                Ok(serde_json::from_str(&text)?)
            };
            let name = read("benchmark.json")?["full_id"]
                .as_str()
                .context("full_id")?
                .to_owned();
            let median = &read("estimates.json")?["median"]["point_estimate"];
            results.push(Measured {
                name,
                value: median.as_f64().context("median")?,
                unit: "x".to_owned(),
            });
        }
    }
    Ok(())
}

/// Sorts 10,000 keys after 100.
fn natural(name: &str) -> (String, u64) {
    let number: String = name.chars().filter(char::is_ascii_digit).collect();
    let text = name.chars().filter(|c| !c.is_ascii_digit()).collect();
    (text, number.parse().unwrap_or(0))
}
