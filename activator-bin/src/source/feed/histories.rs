//! Random histories of sources, the admin port, requests and sleep, compared with a naive model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::revision::tests::{find, key, revision};
use crate::revision::usage::LOOKS;
use crate::revision::{ServedRevision, Shared};
use crate::throttle::Slot;

const SOURCES: [&str; 2] = ["one", "two"];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Clone, Debug)]
enum Step {
    /// A source reports all its revisions, each with a port.
    All(usize, Vec<(usize, u16)>),
    Put(usize, usize, u16),
    Removed(usize, usize),
    /// A source vanishes, and comes back without remembering its reports.
    Vanish(usize),
    AdminPut(usize, u16),
    AdminRemove(usize),
    /// A request arrives, and is sent to a backend at once or only holds the revision.
    Request(usize, bool),
    /// The oldest request ends.
    End,
    Looks(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let source = || 0..SOURCES.len();
    let name = || 0..NAMES.len();
    let port = || 1..3_u16;
    prop_oneof![
        2 => (source(), prop::collection::vec((name(), port()), 0..5)).prop_map(|(source, all)| Step::All(source, all)),
        3 => (source(), name(), port()).prop_map(|(source, name, port)| Step::Put(source, name, port)),
        2 => (source(), name()).prop_map(|(source, name)| Step::Removed(source, name)),
        1 => source().prop_map(Step::Vanish),
        1 => (name(), port()).prop_map(|(name, port)| Step::AdminPut(name, port)),
        1 => name().prop_map(Step::AdminRemove),
        4 => (name(), any::<bool>()).prop_map(|(name, at_backend)| Step::Request(name, at_backend)),
        2 => Just(Step::End),
        2 => (1..=LOOKS + 1).prop_map(Step::Looks),
    ]
}

/// The port of each revision and its owner; `None` is the admin port.
type Configured = BTreeMap<usize, (u16, Option<usize>)>;

#[derive(Default)]
struct Model {
    configured: Configured,
    /// The last report of each source.
    reported: [BTreeMap<usize, u16>; SOURCES.len()],
    /// For each revision that is awake, the number of checks without requests, and whether there was one since the last.
    awake: BTreeMap<usize, (u8, bool)>,
}

impl Model {
    fn put(&mut self, by: Option<usize>, name: usize, port: u16) -> bool {
        let owner = match self.configured.get(&name) {
            Some(&(_, owner)) if by.is_none() => owner,
            Some(&(_, Some(owner))) if Some(owner) != by => return false,
            _ => by,
        };
        self.configured.insert(name, (port, owner));
        true
    }

    fn remove(&mut self, by: Option<usize>, name: usize) {
        if let Some(&(_, owner)) = self.configured.get(&name)
            && (by.is_none() || owner.is_none() || owner == by)
        {
            self.configured.remove(&name);
            self.awake.remove(&name);
        }
    }

    fn report(&mut self, source: usize, name: usize, port: u16) {
        if self.reported[source].get(&name) == Some(&port) {
            return;
        }
        if self.put(Some(source), name, port) {
            self.reported[source].insert(name, port);
        } else {
            self.reported[source].remove(&name);
        }
    }

    fn report_removed(&mut self, source: usize, name: usize) {
        if self.reported[source].remove(&name).is_some() {
            self.remove(Some(source), name);
        }
    }

    /// Revisions with requests at a backend are in use; those that are only held are not, but stay awake.
    fn look(&mut self, at_backend: &BTreeSet<usize>, held: &BTreeSet<usize>) {
        self.awake.retain(|name, (quiet, had_request)| {
            let was_used = mem::take(had_request) || at_backend.contains(name);
            *quiet = if was_used { 0 } else { *quiet + 1 };
            *quiet < LOOKS || held.contains(name)
        });
    }
}

/// A request in flight, and the revision that it found.
struct Request {
    name: usize,
    at: std::sync::Weak<ServedRevision>,
    held: Option<Arc<ServedRevision>>,
    slot: Option<Slot>,
}

fn spec(name: usize, port: u16) -> RevisionSpec {
    revision(&format!("{}={port}", NAMES[name]))
}

fn check(steps: Vec<Step>) {
    let revisions = Arc::new(Revisions::new(Shared::for_tests()));
    let feed = |source: usize| Feed::new(Arc::clone(&revisions), Owner::source(SOURCES[source]));
    let mut feeds = [feed(0), feed(1)];
    let mut model = Model::default();
    let mut requests: Vec<Request> = Vec::new();
    for step in steps {
        match step.clone() {
            Step::All(source, all) => {
                let specs = all.iter().map(|&(name, port)| spec(name, port));
                feeds[source].take(Update::All(specs.collect()));
                for &(name, port) in &all {
                    model.report(source, name, port);
                }
                for name in 0..NAMES.len() {
                    if !all.iter().any(|it| it.0 == name) {
                        model.report_removed(source, name);
                    }
                }
            }
            Step::Put(source, name, port) => {
                feeds[source].take(Update::Some(vec![Change::Put(Arc::new(spec(name, port)))]));
                model.report(source, name, port);
            }
            Step::Removed(source, name) => {
                feeds[source].take(Update::Some(vec![Change::Remove(key(NAMES[name]))]));
                model.report_removed(source, name);
            }
            Step::Vanish(source) => {
                feeds[source] = feed(source);
                model.reported[source].clear();
            }
            Step::AdminPut(name, port) => {
                revisions.put(spec(name, port)).unwrap();
                model.put(None, name, port);
            }
            Step::AdminRemove(name) => {
                revisions.remove(&key(NAMES[name]));
                model.remove(None, name);
            }
            Step::Request(name, at_backend) => {
                let found = find(&revisions, NAMES[name]);
                assert_eq!(found.is_some(), model.configured.contains_key(&name));
                if let Some(served) = found {
                    model.awake.entry(name).or_insert((0, true)).1 = true;
                    let slot = at_backend.then(|| {
                        let backend = ([127, 0, 0, 1], 1).into();
                        served.throttle.add_backend(backend);
                        served.throttle.try_acquire().unwrap()
                    });
                    requests.push(Request {
                        name,
                        at: Arc::downgrade(&served),
                        held: (!at_backend).then_some(served),
                        slot,
                    });
                }
            }
            Step::End => {
                if !requests.is_empty() {
                    requests.remove(0);
                }
            }
            Step::Looks(looks) => {
                // Those of a revision that was removed hold nothing of the one that came in its place.
                let table = revisions.awake();
                let is_there = |it: &&Request| {
                    table
                        .iter()
                        .any(|served| it.at.ptr_eq(&Arc::downgrade(served)))
                };
                let there: Vec<_> = requests.iter().filter(is_there).collect();
                let names = |of: fn(&Request) -> bool| -> BTreeSet<usize> {
                    there.iter().filter(|it| of(it)).map(|it| it.name).collect()
                };
                let (held, at_backend) =
                    (names(|it| it.held.is_some()), names(|it| it.slot.is_some()));
                drop(table);
                for _ in 0..looks {
                    revisions.look();
                    model.look(&at_backend, &held);
                }
            }
        }
        let ports =
            |config: &Arc<RevisionSpec>| (config.key.name().to_owned(), config.backends[0].port());
        let there: Vec<_> = revisions.list().map(|it| ports(&it)).collect();
        let expected = model.configured.iter();
        let expected = expected.map(|(&name, &(port, _))| (NAMES[name].to_owned(), port));
        assert_eq!(there, expected.collect::<Vec<_>>(), "{step:?}");
        let awake: BTreeSet<_> = revisions.awake().iter().map(|it| it.key.clone()).collect();
        let expected = model.awake.keys().map(|&name| key(NAMES[name]));
        assert_eq!(awake, expected.collect(), "{step:?}");
    }
}

#[test]
fn the_table_has_the_last_change_of_each_revision() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    proptest!(ProptestConfig::with_cases(2_000), |(steps in prop::collection::vec(step(), 0..50))| {
        check(steps);
    });
}
