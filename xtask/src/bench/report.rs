//! BENCHMARKS.md: a section per kind of measurement, each with the machine and the date.

use anyhow::{Context, Result};

use crate::command::{command, output, root};

const FILE: &str = "BENCHMARKS.md";

/// Prints `text` and puts it in the place of what was measured before.
pub(super) fn write(section: &str, text: &str) -> Result<()> {
    let text = format!("{}\n{}", measured()?, text.trim_end());
    println!("{text}");
    let (begin, end) = (
        format!("<!-- {section} -->"),
        format!("<!-- end of {section} -->"),
    );
    let path = root().join(FILE);
    let page = std::fs::read_to_string(&path)?;
    let missing = || format!("{FILE} has no {begin} with an {end} behind it");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    let page = format!("{before}{begin}\n\n{text}\n\n{end}{after}");
    Ok(std::fs::write(path, page)?)
}

/// When, on what, and of which state of the tree.
fn measured() -> Result<String> {
    let date = output(&mut command("date --utc +%Y-%m-%d"))?;
    let commit = output(&mut command("git describe --always --dirty"))?;
    let cpu_info = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |line| {
            line.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism()?;
    let kernel = output(&mut command("uname -sr"))?;
    Ok(format!(
        "{}, {cores} cores of {model}, {}, commit {}.",
        date.trim(),
        kernel.trim(),
        commit.trim()
    ))
}
