//! The table after changes from a source and the admin port.

use super::*;
use crate::logging::recorded::logging;
use crate::revision::tests::{key, revision};
use crate::revision::{Refused, Shared};

fn file(text: &str) -> Update {
    Update::All(text.split_whitespace().map(revision).collect())
}

/// A table, and the feed of the file.
fn feed() -> (Arc<Revisions>, Feed) {
    let revisions = Arc::new(Revisions::new(Shared::for_tests()));
    let feed = Feed::new(Arc::clone(&revisions), Owner::FILE);
    (revisions, feed)
}

/// The whole table, written as `revision` reads it.
fn state(revisions: &Revisions) -> String {
    let text = |config: &Arc<RevisionSpec>| {
        let ports: Vec<String> = config
            .backends
            .iter()
            .map(|backend| backend.port().to_string())
            .collect();
        if ports.is_empty() {
            config.key.name().to_owned()
        } else {
            format!("{}={}", config.key.name(), ports.join("+"))
        }
    };
    let all: Vec<String> = revisions.list().map(|it| text(&it)).collect();
    all.join(" ")
}

/// Steps and the table after each: `file ...` is a new set of the file, `+ ...` and `- ...` are its changes to one
/// revision; `put ...` and `remove ...` are changes through the admin port.
#[track_caller]
fn check(steps: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let (revisions, mut feed) = feed();
    for (index, (step, expected)) in steps.iter().enumerate() {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "file" => drop(feed.take(file(rest))),
            "+" => drop(feed.take(Update::Some(vec![Change::Put(Arc::new(revision(rest)))]))),
            "-" => drop(feed.take(Update::Some(vec![Change::Remove(key(rest))]))),
            "put" => drop(revisions.put(revision(rest)).unwrap()),
            "remove" => drop(revisions.remove(&key(rest))),
            _ => panic!("{step}"),
        }
        assert_eq!(state(&revisions), *expected, "step {index}: {step}");
    }
}

#[test]
fn the_source_replaces_its_own_set() {
    check(&[
        ("file a=1 b=2", "a=1 b=2"),
        ("file b=2 c", "b=2 c"),
        ("file b=3+4 c", "b=3+4 c"),
        ("file", ""),
    ]);
}

#[test]
fn single_changes_are_part_of_the_set() {
    check(&[
        ("+ a=1", "a=1"),
        ("+ b=1", "a=1 b=1"),
        ("+ a=2", "a=2 b=1"),
        ("- b", "a=2"),
        ("- b", "a=2"),
        ("file b=1", "b=1"),
        ("put c", "b=1 c"),
        ("- c", "b=1 c"),
        ("remove b", "c"),
        ("+ b=1", "c"),
        ("+ b=2", "b=2 c"),
    ]);
}

#[test]
fn what_the_admin_port_set_stays_until_the_source_changes_that_revision() {
    check(&[
        ("file a=1 b=2", "a=1 b=2"),
        ("put a=9", "a=9 b=2"),
        ("put d=4", "a=9 b=2 d=4"),
        ("file a=1 b=3", "a=9 b=3 d=4"),
        ("file a=2 b=3", "a=2 b=3 d=4"),
        ("put a=9", "a=9 b=3 d=4"),
        ("file b=3", "b=3 d=4"),
        ("file b=3 d=5", "b=3 d=5"),
    ]);
}

#[test]
fn what_the_admin_port_removed_returns_when_the_source_changes_it() {
    check(&[
        ("file a=1 b=2", "a=1 b=2"),
        ("remove a", "b=2"),
        ("remove a", "b=2"),
        ("file a=1 b=3", "b=3"),
        ("file a=2 b=3", "a=2 b=3"),
    ]);
}

#[tokio::test]
async fn each_change_is_counted_once() {
    let changes = |added, changed, removed| Changes {
        added,
        changed,
        removed,
        refused: Vec::new(),
    };
    let (revisions, mut feed) = feed();
    assert_eq!(feed.take(file("a=1 b=2")), changes(2, 0, 0));
    assert_eq!(feed.take(file("b=2 a=1")), changes(0, 0, 0));
    assert_eq!(feed.take(file("a=2 c d")), changes(2, 1, 1));
    assert_eq!(revisions.put(revision("a=3")), Ok(false));
    assert_eq!(revisions.put(revision("e")), Ok(true));
    assert!(revisions.remove(&key("a")) && !revisions.remove(&key("a")));
    assert_eq!(feed.take(file("")), changes(0, 0, 2));
}

#[tokio::test]
async fn a_set_larger_than_a_batch_is_applied_completely() {
    let (revisions, mut feed) = feed();
    let all = |range: std::ops::Range<usize>| {
        Update::All(range.map(|it| revision(&format!("r{it}"))).collect())
    };
    assert_eq!(feed.take(all(0..3 * AT_ONCE + 1)).added, 3 * AT_ONCE + 1);
    let changes = feed.take(all(AT_ONCE..3 * AT_ONCE));
    assert_eq!((changes.added, changes.removed), (0, AT_ONCE + 1));
    assert_eq!(revisions.list().count(), 2 * AT_ONCE);
}

#[tokio::test]
async fn a_revision_that_another_source_gave_up_is_taken_with_the_next_change() {
    let (revisions, mut first) = feed();
    let mut second = Feed::new(Arc::clone(&revisions), Owner::source("another"));
    first.take(file("a=1"));
    let refused = second.take(file("a=2 b=2")).refused;
    assert_eq!(refused, [(key("a"), Refused::Owner(Owner::FILE))]);
    assert_eq!(state(&revisions), "a=1 b=2");
    first.take(file(""));
    assert_eq!(state(&revisions), "b=2");
    second.take(file("a=2 b=2"));
    assert_eq!(state(&revisions), "a=2 b=2");
}

/// Revisions, each with the hosts that it lists.
fn with_hosts(all: &[(&str, &[&str])]) -> Update {
    let spec = |(name, hosts): &(&str, &[&str])| {
        let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap());
        RevisionSpec {
            hosts: hosts.collect(),
            ..revision(name)
        }
    };
    Update::All(all.iter().map(spec).collect())
}

#[tokio::test]
async fn a_host_stays_with_the_revision_that_listed_it_first_and_that_is_logged_once() {
    let (log, _logging) = logging();
    let (revisions, mut first) = feed();
    let mut second = Feed::new(Arc::clone(&revisions), Owner::source("another"));
    first.take(with_hosts(&[("a", &["x", "*.x"])]));
    let lost = |name| revisions.lost_hosts(&key(name)).len();
    second.take(with_hosts(&[("b", &["x", "y"]), ("c", &["*.x"])]));
    second.take(with_hosts(&[("b", &["y", "x"]), ("c", &["*.x"])]));
    assert_eq!((lost("a"), lost("b"), lost("c")), (0, 1, 1));
    let already = |name, host| {
        format!("ERROR \"{host}\" is a host of ns/a already, and stays there revision=ns/{name}")
    };
    assert_eq!(log.lines(), [already("b", "x"), already("c", "*.x")]);
    first.take(with_hosts(&[("a", &["*.x"])]));
    assert_eq!((lost("b"), lost("c")), (0, 1));
    second.take(with_hosts(&[("c", &[])]));
    second.take(with_hosts(&[("c", &["*.x"])]));
    assert_eq!(log.lines().len(), 3);
    first.take(with_hosts(&[]));
    assert_eq!(lost("c"), 0);
}

#[tokio::test]
async fn a_host_moves_from_one_revision_to_another_in_one_set_without_a_word() {
    let (log, _logging) = logging();
    let (revisions, mut feed) = feed();
    feed.take(with_hosts(&[("a", &["x"]), ("b", &["y"])]));
    feed.take(with_hosts(&[("a", &["y"]), ("b", &["x"])]));
    assert!(revisions.lost_hosts(&key("a")).is_empty());
    assert!(revisions.lost_hosts(&key("b")).is_empty());
    assert!(log.lines().is_empty());
}
