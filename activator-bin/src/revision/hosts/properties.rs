//! Random histories of revisions that list hosts, compared with a naive model that looks through all of them.

use std::sync::Arc;

use http::{HeaderMap, Uri};
use proptest::prelude::*;

use super::*;
use crate::revision::name::{Naming, NamingRules};
use crate::revision::tests::{key, revision};
use crate::revision::{Change, Owner, RevisionSpec, Revisions, Shared};

const OWNERS: [Owner; 3] = [
    Owner::ADMIN_PORT,
    Owner::source("one"),
    Owner::source("two"),
];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const HOSTS: [&str; 8] = [
    "*",
    "*.x",
    "*.y.x",
    "*.z.y.x",
    "x",
    "y.x",
    "z.y.x",
    "a.ns.svc.cluster.local",
];
const ASKED: [&str; 14] = [
    "",
    "x",
    ".x",
    "y.x",
    "Y.x.:80",
    "z.y.x",
    "zz.y.x",
    "a.z.y.x",
    "z.z.z.z.y.x",
    "xx",
    "*.x",
    "[::1]:80",
    "a.ns.svc.cluster.local",
    "b.ns.svc.cluster.local:80",
];

#[derive(Clone, Debug)]
enum Step {
    Put(usize, usize, Vec<&'static str>),
    Remove(usize, usize),
    /// All that are awake fall asleep: that changes nothing.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    let owner = || 0..OWNERS.len();
    let name = || 0..NAMES.len();
    let hosts = prop::sample::subsequence(HOSTS.to_vec(), 0..=4).prop_shuffle();
    prop_oneof![
        6 => (owner(), name(), hosts).prop_map(|(by, name, hosts)| Step::Put(by, name, hosts)),
        2 => (owner(), name()).prop_map(|(by, name)| Step::Remove(by, name)),
        1 => Just(Step::Sleep),
    ]
}

/// The owner of each revision, and all that is listed in the order in which it was listed.
#[derive(Default)]
struct Model {
    owners: [Option<usize>; NAMES.len()],
    listed: Vec<(&'static str, usize)>,
}

impl Model {
    fn may_change(&self, by: usize, name: usize) -> bool {
        let owner = self.owners[name];
        by == 0 || owner.is_none_or(|owner| owner == 0 || owner == by)
    }

    fn owner(&self, host: &str) -> Option<usize> {
        let first = self.listed.iter().find(|(listed, _)| *listed == host);
        first.map(|(_, name)| *name)
    }

    /// Whether it was put.
    fn put(&mut self, by: usize, name: usize, hosts: &[&'static str]) -> bool {
        let is_taken = |host: &&str| self.owner(host).is_some_and(|owner| owner != name);
        if !self.may_change(by, name) || (by == 0 && hosts.iter().any(is_taken)) {
            return false;
        }
        if by != 0 || self.owners[name].is_none() {
            self.owners[name] = Some(by);
        }
        self.listed
            .retain(|(host, by)| *by != name || hosts.contains(host));
        for host in hosts {
            if !self.listed.contains(&(host, name)) {
                self.listed.push((host, name));
            }
        }
        true
    }

    fn remove(&mut self, by: usize, name: usize) {
        if self.may_change(by, name) {
            self.owners[name] = None;
            self.listed.retain(|(_, by)| *by != name);
        }
    }

    fn find(&self, asked: &str) -> Option<usize> {
        let lower = asked.to_ascii_lowercase();
        let host = match lower.split_once(':') {
            Some((host, _)) if !lower.starts_with('[') => host,
            _ => &lower,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Some(exact) = self.owner(host).filter(|_| !host.starts_with('*')) {
            return Some(exact);
        }
        let fits = |it: &&str| {
            let end = it.strip_prefix('*').filter(|end| !end.is_empty());
            let end = end.filter(|_| !host.starts_with('.'));
            end.is_some_and(|end| host.ends_with(end) && host != end && self.owner(it).is_some())
        };
        if let Some(longest) = HOSTS.into_iter().filter(fits).max_by_key(|it| it.len()) {
            return self.owner(longest);
        }
        match host.strip_suffix(".ns.svc.cluster.local") {
            Some(name) => {
                let name = NAMES.iter().position(|it| *it == name)?;
                self.owners[name].map(|_| name)
            }
            None => self.owner("*"),
        }
    }
}

fn spec(name: usize, hosts: &[&str]) -> RevisionSpec {
    let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap());
    RevisionSpec {
        hosts: hosts.collect(),
        ..revision(NAMES[name])
    }
}

fn found(revisions: &Revisions, host: &str) -> Option<RevisionKey> {
    let headers = HeaderMap::from_iter([(http::header::HOST, host.parse().unwrap())]);
    let (uri, rules) = (Uri::default(), NamingRules::for_tests());
    let found = revisions.find(&Naming::of(&uri, &headers, &rules));
    found.map(|it| it.key.clone())
}

fn check(steps: Vec<Step>) {
    let revisions = Revisions::new(Shared::for_tests());
    let mut model = Model::default();
    for step in steps {
        match &step {
            Step::Put(by, name, hosts) => {
                let put = Change::Put(Arc::new(spec(*name, hosts)));
                let refused = revisions.change(OWNERS[*by], [put]).refused;
                assert_eq!(refused.is_empty(), model.put(*by, *name, hosts), "{step:?}");
            }
            Step::Remove(by, name) => {
                revisions.change(OWNERS[*by], [Change::Remove(key(NAMES[*name]))]);
                model.remove(*by, *name);
            }
            Step::Sleep => (0..10).for_each(|_| revisions.look()),
        }
        for asked in ASKED {
            let expected = model.find(asked).map(|name| key(NAMES[name]));
            assert_eq!(found(&revisions, asked), expected, "{asked} after {step:?}");
        }
        let is_any_listed = !model.listed.is_empty();
        assert_eq!(revisions.table.load().hosts().is_empty(), !is_any_listed);
        for (name, name_key) in NAMES.iter().map(|name| key(name)).enumerate() {
            let lost = revisions.lost_hosts(&name_key).into_iter();
            let mut lost: Vec<_> = lost.map(|(host, by)| (host.to_string(), by)).collect();
            let listed = model.listed.iter().filter(|(_, by)| *by == name);
            let mut expected: Vec<_> = listed
                .map(|(host, _)| (host, model.owner(host).unwrap()))
                .filter(|(_, owner)| *owner != name)
                .map(|(host, owner)| ((*host).to_owned(), key(NAMES[owner])))
                .collect();
            lost.sort();
            expected.sort();
            assert_eq!(lost, expected, "{step:?}");
        }
    }
}

#[test]
fn a_host_is_that_of_the_first_revision_that_lists_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    proptest!(ProptestConfig::with_cases(1_000), |(steps in prop::collection::vec(step(), 0..40))| {
        check(steps);
    });
}
