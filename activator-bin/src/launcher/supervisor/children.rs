//! The children of this process, those included that it adopted.

#[cfg(target_os = "linux")]
use std::fs;

use rustix::process::Pid;

/// The most children that are looked at in one go.
#[cfg(target_os = "linux")]
const MAX: usize = 10_000;

/// All children, ended ones included that nobody waited for; none where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn children() -> Vec<Pid> {
    listed().unwrap_or_else(searched)
}

/// This process adopts nothing here: its only child is the one that it started.
#[cfg(not(target_os = "linux"))]
pub(super) fn children() -> Vec<Pid> {
    Vec::new()
}

/// As the kernel lists them; `None` if it was built without that.
#[cfg(target_os = "linux")]
fn listed() -> Option<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).ok()?;
        let numbers = list.split_ascii_whitespace().filter_map(number);
        children.extend(numbers.take(MAX));
    }
    Some(children)
}

/// Found among all processes.
#[cfg(target_os = "linux")]
fn searched() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = processes
        .flatten()
        .filter_map(|entry| number(entry.file_name().to_str()?));
    numbers
        .filter(|pid| parent(*pid) == Some(own))
        .take(MAX)
        .collect()
}

/// The parent of a process, if both are there.
#[cfg(target_os = "linux")]
fn parent(pid: Pid) -> Option<Pid> {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = fs::read(path).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name of the program may contain anything, but it ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    number(rest.split_ascii_whitespace().nth(1)?)
}

#[cfg(target_os = "linux")]
fn number(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_found_either_way() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(searched().contains(&pid));
        if let Some(listed) = listed() {
            assert!(listed.contains(&pid));
        }
        child.kill().unwrap();
        // It stays a child until somebody has waited for it.
        assert!(children().contains(&pid));
        child.wait().unwrap();
        assert!(!children().contains(&pid));
    }
}
