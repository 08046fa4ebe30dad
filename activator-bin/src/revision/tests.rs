//! What a revision is to those who find it, while it is changed, removed, put to sleep and woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::usage::LOOKS;
use http::Uri;

use super::name::NamingRules;
use super::*;
use crate::message::headers::{NAMESPACE, REVISION};
use crate::throttle::ThrottleError;

pub(crate) mod launched;

/// `name` or `name=backends`, to a revision in one namespace with backends at these ports.
pub(crate) fn revision(text: &str) -> RevisionSpec {
    let (name, ports) = text.split_once('=').unwrap_or((text, ""));
    let address = |port: &str| format!("127.0.0.1:{port}").parse().unwrap();
    let ports = ports.split('+').filter(|port| !port.is_empty());
    RevisionSpec {
        key: key(name),
        revision: Revision {
            service: "".into(),
            configuration: "".into(),
        },
        hosts: Arc::default(),
        container_concurrency: 0,
        queue_depth: 1,
        timeouts: Default::default(),
        probe: Default::default(),
        protocol: Default::default(),
        tls: false,
        backends: ports.map(address).collect(),
        cluster: None,
        launch: None,
    }
}

pub(crate) fn key(name: &str) -> RevisionKey {
    RevisionKey::try_new("ns", name).unwrap()
}

/// Finds it as a request does.
pub(crate) fn find(revisions: &Revisions, name: &str) -> Option<Arc<ServedRevision>> {
    let headers = [(NAMESPACE, "ns"), (REVISION, name)];
    let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
    let headers = headers.into_iter().collect();
    let (uri, rules) = (Uri::default(), NamingRules::for_tests());
    revisions.find(&Naming::of(&uri, &headers, &rules))
}

/// Revisions whose probers never get to run.
fn served(text: &str) -> Revisions {
    let revisions = Revisions::new(Shared::for_tests());
    for text in text.split_whitespace() {
        assert_eq!(revisions.put(revision(text)), Ok(true));
    }
    revisions
}

/// As many looks as let a revision without requests fall asleep.
fn looks(revisions: &Revisions) {
    (0..=LOOKS).for_each(|_| revisions.look());
}

#[tokio::test]
async fn a_revision_that_stays_is_the_same_object_and_one_that_comes_back_is_another() {
    let revisions = served("a=1 b=1");
    let find = |name| find(&revisions, name).unwrap();
    let (a, b) = (find("a"), find("b"));
    let backend = |port: u16| b.backends.at(([127, 0, 0, 1], port).into());
    let (kept, unknown) = (backend(1), backend(2));
    revisions.put(revision("b=1+2")).unwrap();
    assert!(Arc::ptr_eq(&a, &find("a")));
    assert!(Arc::ptr_eq(&b, &find("b")));
    assert!(Arc::ptr_eq(
        &b.config(),
        &revisions.config(&key("b")).unwrap()
    ));
    assert!(Arc::ptr_eq(&kept, &backend(1)));
    assert!(!Arc::ptr_eq(&unknown, &backend(2)) && Arc::ptr_eq(&backend(2), &backend(2)));
    revisions.remove(&key("b"));
    revisions.put(revision("b=1")).unwrap();
    assert!(!Arc::ptr_eq(&b, &find("b")));
}

#[tokio::test]
async fn a_revision_that_is_removed_takes_no_requests_any_more() {
    let revisions = served("a b");
    let find = |name| find(&revisions, name).unwrap();
    let (a, b) = (find("a"), find("b"));
    revisions.remove(&key("a"));
    assert_eq!(
        a.throttle.acquire().await.err(),
        Some(ThrottleError::RevisionGone)
    );
    revisions.change(Owner::ADMIN_PORT, [Change::Remove(key("b"))]);
    assert_eq!(
        b.throttle.acquire().await.err(),
        Some(ThrottleError::RevisionGone)
    );
}

#[tokio::test]
async fn a_revision_sleeps_until_its_first_request_and_again_when_it_has_had_none_for_long() {
    let revisions = served("a=1 b=2");
    let awake = || revisions.awake().len();
    assert_eq!(awake(), 0);
    assert!(find(&revisions, "c").is_none());
    drop(find(&revisions, "a"));
    assert_eq!(awake(), 1);
    for _ in 0..LOOKS {
        revisions.look();
        assert_eq!(awake(), 1);
    }
    drop(find(&revisions, "a"));
    for _ in 0..LOOKS {
        revisions.look();
        assert_eq!(awake(), 1);
    }
    revisions.look();
    assert_eq!(awake(), 0);
    revisions.put(revision("a=3")).unwrap();
    let a = find(&revisions, "a").unwrap();
    assert_eq!(
        a.config().backends[0].port(),
        3,
        "it wakes as it is configured now"
    );
}

#[tokio::test]
async fn a_revision_that_somebody_holds_or_waits_for_or_is_served_by_stays_awake() {
    let revisions = served("held waited active");
    let find = |name| find(&revisions, name).unwrap();
    let held = find("held");
    let mut waiting = Box::pin({
        let waited = find("waited").throttle.clone();
        async move { waited.acquire().await }
    });
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let active = find("active");
    let throttle = active.throttle.clone();
    throttle.add_backend("127.0.0.1:1".parse().unwrap());
    let slot = throttle.try_acquire().unwrap();
    let pointer = Arc::downgrade(&active);
    drop(active);
    looks(&revisions);
    assert_eq!(revisions.awake().len(), 3);
    assert!(Arc::ptr_eq(&held, &find("held")));
    assert!(pointer.ptr_eq(&Arc::downgrade(&find("active"))));
    drop((held, waiting, slot));
    looks(&revisions);
    assert_eq!(revisions.awake().len(), 0);
}

#[tokio::test]
async fn connections_to_the_backends_of_a_revision_that_sleeps_are_not_kept() {
    let revisions = served("a=1");
    let backend = {
        let a = find(&revisions, "a").unwrap();
        a.backends.at("127.0.0.1:1".parse().unwrap())
    };
    let mut recalled = revisions.recall().listen();
    assert!(backend.is_kept());
    looks(&revisions);
    assert!(!backend.is_kept());
    assert!(recalled.next().await.unkept);
}

#[tokio::test]
async fn a_source_is_refused_what_another_one_has_until_that_has_removed_it() {
    let revisions = served("");
    let (one, two) = (Owner::source("one"), Owner::source("two"));
    let put = |by, text| {
        let put = Change::Put(Arc::new(revision(text)));
        let refused = revisions.change(by, [put]).refused;
        refused.first().map(|(_, why)| why.to_string())
    };
    let remove = |by| revisions.change(by, [Change::Remove(key("a"))]).removed;
    let ports = || revisions.config(&key("a")).map(|it| it.backends[0].port());
    assert_eq!(put(one, "a=1"), None);
    assert_eq!(
        put(two, "a=2").as_deref(),
        Some("the revision belongs to one")
    );
    assert_eq!((remove(two), ports()), (0, Some(1)));
    assert_eq!(put(Owner::ADMIN_PORT, "a=3"), None);
    assert_eq!(
        put(two, "a=2").as_deref(),
        Some("the revision belongs to one")
    );
    assert_eq!((remove(one), ports()), (1, None));
    assert_eq!(put(Owner::ADMIN_PORT, "a=3"), None);
    assert_eq!(put(two, "a=2"), None);
    assert_eq!(
        put(one, "a=1").as_deref(),
        Some("the revision belongs to two")
    );
    assert_eq!((remove(Owner::ADMIN_PORT), ports()), (1, None));
}

/// Whoever has found a revision finds it again for as long as he holds it, however often it is about to fall asleep.
#[test]
fn no_revision_that_is_held_falls_asleep() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let revisions = served("a b");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..2 {
            let (revisions, is_over) = (&revisions, &is_over);
            scope.spawn(move || {
                let mut round = worker;
                while !is_over.load(Ordering::Relaxed) {
                    round += 1;
                    let name = ["a", "b"][round % 2];
                    let first = find(revisions, name).unwrap();
                    for _ in 0..round % 7 {
                        assert!(Arc::ptr_eq(&first, &find(revisions, name).unwrap()));
                    }
                }
            });
        }
        // Until enough of them have slept, however long a busy machine takes.
        let mut slept = 0;
        while slept < 20 {
            for name in ["a", "b"] {
                slept += usize::from(revisions.fall_asleep(&key(name)).is_some());
                let other = revision(&format!("other={}", slept % 9 + 1));
                revisions.put(other).unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
