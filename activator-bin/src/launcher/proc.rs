//! What `/proc` says of processes; nothing where there is no `/proc`.

use std::collections::HashMap;
use std::fs;

use rustix::process::Pid;

/// The most processes that are looked at.
const MAX: usize = 100_000;

/// All children of this process, ended ones included that nobody waited for.
pub(super) fn children() -> Vec<Pid> {
    listed().unwrap_or_else(|| {
        let own = rustix::process::getpid();
        let is_own = |pid: &Pid| parent(*pid) == Some(own);
        processes().filter(is_own).collect()
    })
}

/// A process, its children, and theirs.
pub(super) fn family(first: Pid) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for pid in processes() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut family = vec![first];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        family.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    family
}

/// The children as the kernel lists them; `None` if it was built without that.
fn listed() -> Option<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).ok()?;
        children.extend(list.split_ascii_whitespace().filter_map(number).take(MAX));
    }
    Some(children)
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| number(entry.file_name().to_str()?));
    numbers.take(MAX)
}

/// The parent of a process, if both are there.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name of the program may contain anything, but it ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    number(rest.split_ascii_whitespace().nth(1)?)
}

fn number(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_found_until_somebody_has_waited_for_it() {
        let own = rustix::process::getpid();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert_eq!(parent(pid), Some(own));
        assert!(children().contains(&pid));
        let family = family(own);
        assert_eq!(family[0], own);
        assert!(family.contains(&pid));
        child.kill().unwrap();
        assert!(children().contains(&pid));
        child.wait().unwrap();
        assert!(!children().contains(&pid));
    }
}
