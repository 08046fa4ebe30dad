//! BENCHMARKS.md: each kind of benchmark has a section between two markers.

use std::fs;

use anyhow::{Context, Result};

use crate::command::{command, output, root};

/// Writes `table` as the section called `name`, with the machine and the date.
pub(crate) fn write(name: &str, table: &str) -> Result<()> {
    let path = root().join("BENCHMARKS.md");
    let page = fs::read_to_string(&path).context("BENCHMARKS.md")?;
    let [begin, end] = ["begin", "end"].map(|what| format!("<!-- {what} {name} -->"));
    let (before, rest) = page
        .split_once(&begin)
        .with_context(|| format!("no {begin} in BENCHMARKS.md"))?;
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("no {end} in BENCHMARKS.md"))?;
    let section = format!("{begin}\n{}\n\n{table}{end}", machine()?);
    fs::write(&path, format!("{before}{section}{after}"))?;
    Ok(())
}

fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpus
        .lines()
        .filter(|line| line.starts_with("model name"))
        .filter_map(|line| line.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    Ok(format!(
        "{} on {} x {}, {}, {}.",
        output(&mut command("date --utc +%Y-%m-%d"))?.trim(),
        models.len(),
        models.first().unwrap_or(&"an unknown processor"),
        output(&mut command("uname -sr"))?.trim(),
        output(&mut command("rustc --version"))?.trim(),
    ))
}
