//! What becomes of the table when the source and the admin port take turns.

use super::*;

/// `name` or `name=backends`, to a revision in one namespace with backends at these ports.
fn revision(text: &str) -> RevisionSpec {
    let (name, ports) = text.split_once('=').unwrap_or((text, ""));
    let address = |port: &str| format!("127.0.0.1:{port}").parse().unwrap();
    let ports = ports.split('+').filter(|port| !port.is_empty());
    RevisionSpec {
        key: key(name),
        revision: Revision {
            service: "".into(),
            configuration: "".into(),
        },
        container_concurrency: 0,
        queue_depth: 1,
        timeouts: Default::default(),
        probe: Default::default(),
        protocol: Default::default(),
        tls: false,
        backends: ports.map(address).collect(),
    }
}

/// Revisions whose probers never get to run.
fn served(text: &str) -> Revisions {
    let shared = Shared::for_tests();
    Revisions::new(file(text), shared)
}

fn key(name: &str) -> RevisionKey {
    RevisionKey::try_new("ns", name).unwrap()
}

fn file(text: &str) -> Vec<RevisionSpec> {
    text.split_whitespace().map(revision).collect()
}

/// The whole table, written as above.
fn state(revisions: &Revisions) -> String {
    let text = |config: &Arc<RevisionSpec>| {
        let ports: Vec<String> = config
            .backends
            .iter()
            .map(|backend| backend.port().to_string())
            .collect();
        let found = revisions.find(&name_of(&config.key)).unwrap();
        assert!(Arc::ptr_eq(&found.config(), config));
        match ports.is_empty() {
            true => config.key.name().to_owned(),
            false => format!("{}={}", config.key.name(), ports.join("+")),
        }
    };
    let all: Vec<String> = revisions.configs().iter().map(text).collect();
    all.join(" ")
}

/// Steps and the table after each: `file ...` is a new set of the file, `put ...` and `remove ...`
/// are the admin port's.
#[track_caller]
fn check(steps: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let revisions = served("");
    for (index, (step, expected)) in steps.iter().enumerate() {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "file" => drop(revisions.replace(file(rest))),
            "put" => drop(revisions.put(revision(rest))),
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
fn what_the_admin_port_removed_is_back_when_the_source_changes_it() {
    check(&[
        ("file a=1 b=2", "a=1 b=2"),
        ("remove a", "b=2"),
        ("remove a", "b=2"),
        ("file a=1 b=3", "b=3"),
        ("file a=2 b=3", "a=2 b=3"),
    ]);
}

#[tokio::test]
async fn each_change_is_counted_once_and_none_is_none() {
    let changes = |added, changed, removed| Changes {
        added,
        changed,
        removed,
    };
    let revisions = served("a=1 b=2");
    assert_eq!(revisions.replace(file("b=2 a=1")), changes(0, 0, 0));
    assert_eq!(revisions.replace(file("a=2 c d")), changes(2, 1, 1));
    assert!(!revisions.put(revision("a=3")));
    assert!(revisions.put(revision("e")));
    assert!(revisions.remove(&key("a")) && !revisions.remove(&key("a")));
    assert_eq!(revisions.replace(Vec::new()), changes(0, 0, 2));
}

#[tokio::test]
async fn a_revision_that_stays_is_the_same_object_and_one_that_comes_back_is_another() {
    let revisions = served("a=1 b=1");
    let find = |name| {
        revisions.find(&Name {
            namespace: "ns",
            name,
        })
    };
    let (a, b) = (find("a").unwrap(), find("b").unwrap());
    let backend = |port: u16| b.backends.at(([127, 0, 0, 1], port).into());
    let (kept, unknown) = (backend(1), backend(2));
    revisions.replace(file("a=1 b=1+2"));
    assert!(Arc::ptr_eq(&a, &find("a").unwrap()));
    assert!(Arc::ptr_eq(&b, &find("b").unwrap()));
    assert!(Arc::ptr_eq(&kept, &backend(1)));
    assert!(!Arc::ptr_eq(&unknown, &backend(2)) && Arc::ptr_eq(&backend(2), &backend(2)));
    revisions.replace(file("a=1"));
    revisions.replace(file("a=1 b=1"));
    assert!(!Arc::ptr_eq(&b, &find("b").unwrap()));
}

#[tokio::test]
async fn a_revision_that_is_removed_takes_no_requests_any_more() {
    use crate::throttle::ThrottleError;
    let revisions = served("a b");
    let find = |name| revisions.find(&name_of(&key(name))).unwrap();
    let (a, b) = (find("a"), find("b"));
    revisions.remove(&key("a"));
    assert_eq!(
        a.throttle.acquire().await.err(),
        Some(ThrottleError::RevisionGone)
    );
    revisions.replace(Vec::new());
    assert_eq!(
        b.throttle.acquire().await.err(),
        Some(ThrottleError::RevisionGone)
    );
}
