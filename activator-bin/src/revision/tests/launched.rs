//! Revisions whose instances are started here: who lists them, and how those who start them learn of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use proptest::prelude::*;

use super::super::launch::*;
use super::*;
use crate::probe::Probe;
use crate::throttle::Standing;

/// How instances are started, `max_scale` of them at most.
pub(crate) fn launch(max_scale: u32) -> LaunchSpec {
    let process = ProcessSpec::new(vec!["app".to_owned()]);
    LaunchSpec::new(Start::Process(process), max_scale)
}

/// As [`revision`], but its instances are started here unless `max_scale` is 0.
fn launched(text: &str, max_scale: u32) -> RevisionSpec {
    RevisionSpec {
        launch: (max_scale > 0).then(|| Arc::new(launch(max_scale))),
        probe: Probe::None,
        ..revision(text)
    }
}

fn put(revisions: &Revisions, spec: RevisionSpec) {
    revisions.change(Owner::ADMIN_PORT, [Change::Put(Arc::new(spec))]);
}

fn places(ports: &[u16]) -> Vec<Place> {
    let place = |&port: &u16| Place {
        address: ([127, 0, 0, 1], port).into(),
        socket: None,
    };
    ports.iter().map(place).collect()
}

/// The ports that its requests go to.
fn ports(served: &ServedRevision) -> Vec<u16> {
    let count = served.throttle.ready_backends();
    let slots: Vec<_> = (0..count)
        .map(|_| served.throttle.try_acquire().unwrap())
        .collect();
    let mut ports: Vec<u16> = slots.iter().map(|it| it.backend().port()).collect();
    ports.sort_unstable();
    let is_kept = |slot: &crate::throttle::Slot| served.backends.at(slot.backend()).is_kept();
    assert!(slots.iter().all(is_kept));
    ports
}

#[tokio::test]
async fn instances_that_are_started_here_are_listed_by_whoever_starts_them() {
    let revisions = served("");
    let spec = |text, max_scale| RevisionSpec {
        // Each gets one of several requests.
        container_concurrency: 1,
        ..launched(text, max_scale)
    };
    put(&revisions, spec("a=1", 1));
    let a = revisions.launched(&key("a")).unwrap();
    assert!(Arc::ptr_eq(&a, &find(&revisions, "a").unwrap()));
    assert_eq!(ports(&a), [0; 0]);
    revisions.set_places(&a, &places(&[7, 8]));
    assert_eq!(ports(&a), [7, 8], "no probe has run");
    put(&revisions, spec("a=2", 2));
    assert_eq!(ports(&a), [7, 8]);
    revisions.set_places(&a, &places(&[8, 9]));
    assert_eq!(ports(&a), [8, 9]);

    put(&revisions, spec("a=3", 0));
    assert!(revisions.launched(&key("a")).is_none());
    assert_eq!(ports(&a), [3]);
    revisions.set_places(&a, &places(&[9]));
    assert_eq!(ports(&a), [3]);
    put(&revisions, spec("a=3", 1));
    assert_eq!(ports(&a), [0; 0], "none of them has been started yet");
    revisions.set_places(&a, &places(&[3]));
    assert_eq!(ports(&a), [3]);
}

#[tokio::test]
async fn a_revision_that_is_removed_has_no_instances_once_their_requests_have_ended() {
    let revisions = served("");
    put(&revisions, launched("a", 1));
    let a = revisions.launched(&key("a")).unwrap();
    let place = places(&[7]);
    revisions.set_places(&a, &place);
    let slot = a.throttle.try_acquire().unwrap();
    revisions.remove(&key("a"));
    let mut vacated = Box::pin(a.throttle.vacated(place[0].address));
    assert!(futures_util::poll!(&mut vacated).is_pending());
    drop(slot);
    vacated.await;
    // Another one of this name has none of its instances, nor the other way round.
    put(&revisions, launched("a", 1));
    revisions.set_places(&a, &place);
    assert_eq!(ports(&a), [0; 0]);
    assert!(!a.backends.at(place[0].address).is_kept());
    let other = revisions.launched(&key("a")).unwrap();
    assert_eq!(ports(&other), [0; 0]);
}

#[tokio::test]
async fn a_revision_stays_awake_while_whoever_starts_its_instances_holds_it() {
    let revisions = served("");
    put(&revisions, launched("a", 1));
    assert!(revisions.launched(&key("other")).is_none());
    assert!(revisions.awake().is_empty());
    let a = revisions.launched(&key("a")).unwrap();
    revisions.set_places(&a, &places(&[7]));
    looks(&revisions);
    looks(&revisions);
    assert!(Arc::ptr_eq(&a, &revisions.launched(&key("a")).unwrap()));
    assert_eq!(ports(&a), [7]);
    drop(a);
    looks(&revisions);
    assert!(revisions.awake().is_empty());
}

#[tokio::test]
async fn a_revision_that_failed_to_start_stays_awake_for_as_long_as_that_matters() {
    let revisions = served("");
    put(&revisions, launched("a", 1));
    let failure = |seconds| {
        Some(Failure {
            until: Instant::now() + Duration::from_secs(seconds),
            why: String::new(),
        })
    };
    let a = || revisions.launched(&key("a")).unwrap();
    a().set_failed(failure(3600));
    looks(&revisions);
    assert!(matches!(a().throttle.standing(), Standing::Failed(_)));
    a().set_failed(failure(0));
    looks(&revisions);
    assert!(revisions.awake().is_empty());
}

#[derive(Clone, Debug)]
enum Op {
    /// `max_scale` is 0 where instances are not started here.
    Put {
        name: usize,
        max_scale: u32,
        port: u16,
    },
    Remove {
        name: usize,
    },
    Read,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), 0..3_u32, 1..3_u16)
            .prop_map(|(name, max_scale, port)| Op::Put { name, max_scale, port }),
        2 => name.prop_map(|name| Op::Remove { name }),
        2 => Just(Op::Read),
    ]
}

/// Those who start instances, and what they know.
#[derive(Default)]
struct Reader(BTreeMap<RevisionKey, Arc<RevisionSpec>>);

impl Reader {
    fn read(&mut self, revisions: &Revisions, keys: BTreeSet<RevisionKey>) {
        assert!(!keys.is_empty());
        for key in keys {
            match revisions.config(&key).filter(|it| it.launch.is_some()) {
                Some(spec) => self.0.insert(key, spec),
                None => self.0.remove(&key),
            };
        }
    }
}

proptest! {
    #[test]
    fn whoever_reads_the_changes_knows_what_is(history in prop::collection::vec(op(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let revisions = served("");
        let (mut reader, mut is_launched) = (Reader::default(), BTreeMap::new());
        for op in history.into_iter().chain([Op::Read]) {
            match op {
                Op::Put { name, max_scale, port } => {
                    is_launched.insert(name, max_scale > 0);
                    put(&revisions, launched(&format!("{}={port}", NAMES[name]), max_scale));
                }
                Op::Remove { name } => {
                    is_launched.remove(&name);
                    revisions.remove(&key(NAMES[name]));
                }
                Op::Read => {
                    if let Some(keys) = revisions.launch_changes().now_or_never() {
                        reader.read(&revisions, keys);
                    }
                    let all = revisions.list().filter(|it| it.launch.is_some());
                    let all: BTreeMap<_, _> = all.map(|it| (it.key.clone(), it)).collect();
                    prop_assert_eq!(&reader.0, &all);
                    let expected = is_launched.values().filter(|it| **it).count();
                    prop_assert_eq!(all.len(), expected);
                }
            }
        }
    }
}

#[tokio::test]
async fn changes_of_other_revisions_are_not_told() {
    let revisions = served("a=1");
    put(&revisions, revision("a=2"));
    revisions.remove(&key("a"));
    assert_eq!(revisions.launch_changes().now_or_never(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_on_another_thread_misses_no_change() {
    const LAST: u32 = 1_000;
    let revisions = Arc::new(served(""));
    let reads = tokio::spawn({
        let revisions = Arc::clone(&revisions);
        async move {
            let mut reader = Reader::default();
            let last = |reader: &Reader| {
                let spec = reader.0.get(&key("a"))?;
                Some(spec.launch.as_ref()?.scale.max_scale)
            };
            while last(&reader) != Some(LAST) {
                let keys = revisions.launch_changes().await;
                reader.read(&revisions, keys);
            }
        }
    });
    for max_scale in 1..=LAST {
        put(&revisions, launched("a", max_scale));
        if max_scale % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let in_time = tokio::time::timeout(Duration::from_secs(60), reads).await;
    in_time.expect("it is told of the last change").unwrap();
}
