//! Instruction counts of the event and tick paths under valgrind, compared with the committed ones.
//!
//! A scene runs twice, with few rounds and with many; the difference is the cost of the rounds. This needs
//! only valgrind; a benchmark harness for callgrind needs a second program of a matching version.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use toml::Table;

use crate::command::{command, output, root};

/// Names, with few and with many rounds.
const SCENES: &[(&str, u64, u64)] = &[
    ("core-in-out snapshot", 1_000, 11_000),
    ("core-in-out average", 1_000, 11_000),
    ("core-tick snapshot", 5, 15),
    ("core-tick average", 5, 15),
    ("in-out snapshot", 1_000, 11_000),
    ("in-out average", 1_000, 11_000),
    ("tick snapshot", 5, 15),
    ("tick average", 5, 15),
];
const TOLERANCE: f64 = 0.05;
const FILE: &str = "reporter-runtime/benches/instructions.toml";

pub(crate) fn run(update: bool) -> Result<()> {
    let program = build()?;
    let mut counts = Table::new();
    for &(scene, few, many) in SCENES {
        let [few_count, many_count] = [few, many].map(|rounds| count(&program, scene, rounds));
        let per_round = (many_count? - few_count?) / (many - few);
        println!("{scene}: {per_round} instructions a round");
        counts.insert(scene.to_owned(), i64::try_from(per_round)?.into());
    }
    let rustc = output(&mut command("rustc --version"))?.trim().to_owned();
    let path = root().join(FILE);
    if update {
        let head =
            "# Instructions a round; written by `cargo xtask bench instructions --update`.\n";
        fs::write(
            &path,
            format!("{head}rustc = \"{rustc}\"\n\n[counts]\n{counts}"),
        )?;
        return Ok(());
    }
    let committed: Table = fs::read_to_string(&path).context(FILE)?.parse()?;
    let differences = differences(&committed, &counts)?;
    if committed["rustc"].as_str() == Some(&rustc) {
        ensure!(
            differences.is_empty(),
            "instruction counts have changed; if that is as it should be, run it with --update:\n{}",
            differences.join("\n")
        );
    } else {
        // Another compiler writes other code: that is no fault of a change.
        println!("{} were counted with {}", FILE, committed["rustc"]);
        differences
            .iter()
            .for_each(|line| println!("warning: {line}"));
    }
    Ok(())
}

fn differences(committed: &Table, counts: &Table) -> Result<Vec<String>> {
    let before = committed["counts"].as_table().context("no [counts]")?;
    let mut differences = Vec::new();
    for (scene, now) in counts {
        let number = |value: &toml::Value| value.as_integer().map(|count| count as f64);
        let now = number(now).context("counts are integers")?;
        let before = before
            .get(scene)
            .and_then(number)
            .with_context(|| format!("no count of {scene}"))?;
        let change = now / before - 1.0;
        if change.abs() > TOLERANCE {
            differences.push(format!(
                "{scene}: {before} before, {now} now ({:+.1} %)",
                change * 100.0
            ));
        }
    }
    Ok(differences)
}

/// Builds the benchmark and returns the path of its program.
fn build() -> Result<String> {
    let messages = output(&mut command(
        "cargo bench --package reporter-runtime --bench instructions --no-run --message-format json",
    ))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "instructions")
        .find_map(|message| message["executable"].as_str().map(str::to_owned))
        .context("cargo printed no path of the program")
}

fn count(program: &str, scene: &str, rounds: u64) -> Result<u64> {
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            program,
            scene,
        ])
        .arg(rounds.to_string())
        .output()
        .context("cannot start valgrind; install it with `apt-get install valgrind`")?;
    let text = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "{scene} failed:\n{text}");
    let Some((_, collected)) = text.split_once("Collected : ") else {
        bail!("callgrind printed no count:\n{text}");
    };
    let digits = collected.split_whitespace().next().unwrap_or_default();
    Ok(digits.parse()?)
}
