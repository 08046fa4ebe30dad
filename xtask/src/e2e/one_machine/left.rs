//! Processes that should have ended.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::SOON;
use crate::support::process::wait_until;

/// Waits until none of `processes` runs. What has ended and was not yet waited for does not run.
pub(super) fn wait_for_end(processes: &[u32]) -> Result<()> {
    wait_until(&format!("some of {processes:?} run"), SOON, || {
        let running = processes.iter().filter(|it| is_running(**it)).count();
        Ok((running == 0).then_some(()))
    })
}

/// Whether such a process runs.
pub(super) fn is_running(process: u32) -> bool {
    !matches!(state(process), Err(_) | Ok('Z' | 'X'))
}

/// The state of a process, like `S` or `T`.
pub(super) fn state(process: u32) -> Result<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").context("no fields")?.1;
    fields.chars().next().context("no state")
}

/// The descendants of a process.
pub(super) fn descendants(of: u32) -> Result<Vec<u32>> {
    let parents = parents()?;
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|it| *it.1 == parent).map(|it| it.0));
        next += 1;
    }
    found.remove(0);
    Ok(found)
}

fn parents() -> Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |it| it.1);
        if let Some(parent) = fields.split(' ').nth(1).and_then(|it| it.parse().ok()) {
            parents.insert(process, parent);
        }
    }
    Ok(parents)
}

/// The processes that have `word` in their command line.
pub(super) fn with_word(word: &str) -> Result<Vec<u32>> {
    let has_word = |process: &u32| {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    Ok(parents()?.into_keys().filter(has_word).collect())
}
