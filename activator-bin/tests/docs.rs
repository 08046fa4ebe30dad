//! The pages say what the program does: their configurations are valid, and what can fail has a row.

use std::path::{Path, PathBuf};

use activator_bin::testing::Sources;
use reporter_metrics::ErrorReason;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The README and all pages, by path.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(root().join("docs")).expect("the folder exists");
    let mut paths: Vec<_> = docs
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    paths.push(root().join("README.md"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("the page can be read");
            (path, text)
        })
        .collect()
}

/// The blocks of a language, each with the number of its first line.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let begin = format!("```{language}");
    let mut lines = page.lines().enumerate();
    let mut blocks = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim() != begin {
            continue;
        }
        let block = lines.by_ref().map(|(_, line)| line);
        let block: Vec<_> = block.take_while(|line| line.trim() != "```").collect();
        blocks.push((number + 2, block.join("\n") + "\n"));
    }
    blocks
}

/// What a page leaves out of a fragment since it is said elsewhere on it.
const LEFT_OUT: &[(&str, &str, &str)] = &[(
    "[[certificate]]",
    "[listen]",
    "[listen]\nhttps = \"127.0.0.1:8112\"\n",
)];

#[test]
fn configurations_in_the_docs_are_valid() {
    let mut problems = Vec::new();
    let mut count = 0;
    for (path, page) in pages() {
        for (line, block) in blocks(&page, "toml") {
            let missing = LEFT_OUT
                .iter()
                .filter(|(has, lacks, _)| block.contains(has) && !block.contains(lacks))
                .map(|(_, _, text)| *text);
            let text = block.clone() + &missing.collect::<String>();
            let name = format!("the block at {}:{line}", path.display());
            count += 1;
            if let Err(found) = Sources::default().check(Some((&name, text.as_bytes()))) {
                problems.push(found.to_string());
            }
        }
    }
    assert!(count > 15, "only {count} blocks were found");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn blocks_are_found_with_their_lines() {
    let page = "a\n```toml\nb = 1\n```\n```sh\nc\n```\n  ```toml\n  d = 2\n  ```\n";
    let expected = [(3, "b = 1\n".to_owned()), (9, "  d = 2\n".to_owned())];
    assert_eq!(blocks(page, "toml"), expected);
}

#[test]
fn every_reason_why_a_request_fails_is_in_the_page_on_failures() {
    let page = std::fs::read_to_string(root().join("docs/failures.md")).expect("the page exists");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    for reason in ErrorReason::ALL {
        let start = format!("| `{}` |", reason.as_str());
        let found = rows.iter().filter(|row| row.starts_with(&start)).count();
        assert_eq!(found, 1, "rows that begin with {start}");
    }
}

#[test]
fn every_reason_not_to_be_ready_is_in_the_page_on_failures() {
    let read = |path| std::fs::read_to_string(root().join(path)).expect("the file exists");
    let (page, code) = (
        read("docs/failures.md"),
        read("activator-bin/src/readiness.rs"),
    );
    let reasons: Vec<_> = code
        .split("\"not ready: ")
        .skip(1)
        .filter_map(|rest| rest.split_once("\\n\""))
        .map(|(reason, _)| format!("| `not ready: {reason}` |"))
        .collect();
    assert!(reasons.len() > 2, "{reasons:?}");
    for reason in reasons {
        assert!(page.contains(&reason), "{reason}");
    }
}

#[test]
fn every_metric_on_the_page_on_failures_exists() {
    let page = std::fs::read_to_string(root().join("docs/failures.md")).expect("the page exists");
    let words = page.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
    let named = words.filter(|word| {
        ["activator_", "kn_", "http_server_"]
            .iter()
            .any(|start| word.starts_with(start))
    });
    let unknown: Vec<_> = named
        .filter(|name| {
            !reporter_metrics::METRICS
                .iter()
                .any(|metric| metric.name == *name)
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_alert_has_a_row_that_leads_to_its_runbook() {
    let read = |path| std::fs::read_to_string(root().join(path)).expect("the file exists");
    let (page, alerts) = (
        read("docs/failures.md"),
        read("deploy/prometheus/alerts.yaml"),
    );
    let alerts: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10, "{}", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap_or_default();
        let runbook = alert
            .lines()
            .find_map(|line| line.trim().strip_prefix("runbook: docs/failures.md#"));
        let runbook = runbook.unwrap_or_else(|| panic!("{name} has no runbook in that page"));
        let start = format!("| `{name}` | ");
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row that begins with {start}"));
        assert!(row.contains(&format!("(#{runbook})")), "{row}: {runbook}");
    }
}
