//! What a cluster's revisions are, worked out from all objects that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

pub(super) const ADDRESSES: [&str; 7] = [
    OWN,
    "10.0.0.1",
    "10.0.0.9",
    "10.0.0.10",
    "fd00::1",
    "fd00::9",
    "fd00::10",
];
pub(super) const OWN: &str = "10.0.0.100";
pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];
pub(super) const SLICES: [&str; 5] = ["v", "w", "x", "y", "z"];
pub(super) const PORTS: [&[(&str, u16)]; 5] = [
    &[("http", 8012)],
    &[("http2", 8013)],
    &[("http", 8012), ("http2", 8013)],
    &[("https", 8112), ("http", 80)],
    &[("web", 8012)],
];

#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) name: &'static str,
    pub(super) is_h2c: bool,
    pub(super) concurrency: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) name: &'static str,
    pub(super) is_endpoints: bool,
    /// `private`, `public` or `other`.
    pub(super) kind: &'static str,
    pub(super) revision: &'static str,
    pub(super) version: u32,
    pub(super) ports: &'static [(&'static str, u16)],
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) address: &'static str,
    pub(super) uid: Option<u8>,
    pub(super) mark: char,
}

/// All objects, each with whether it has been seen since the last list of its kind began.
#[derive(Debug, Default)]
pub(super) struct Objects {
    revisions: BTreeMap<&'static str, (Revision, bool)>,
    slices: BTreeMap<&'static str, (Slice, bool)>,
    shares: BTreeMap<&'static str, (usize, usize)>,
    pub(super) has_tls: bool,
}

impl Revision {
    pub(super) fn step(&self) -> String {
        let port = if self.is_h2c { "h2c" } else { "http1" };
        format!(
            "revision {} {port} concurrency={}",
            self.name, self.concurrency
        )
    }
}

impl Slice {
    pub(super) fn step(&self) -> String {
        let Self {
            name,
            kind,
            revision,
            version,
            ..
        } = self;
        let form = if self.is_endpoints { "endpoints " } else { "" };
        let mut step = format!("{kind} {form}{name} {revision} v={version}");
        for (name, port) in self.ports {
            step += &format!(" {name}={port}");
        }
        for Endpoint { address, uid, mark } in &self.endpoints {
            let uid = uid.map(|uid| format!("@{uid}")).unwrap_or_default();
            step += &format!(" {address}{uid}{mark}");
        }
        step
    }

    fn port(&self, is_h2c: bool) -> Option<u16> {
        let wanted = if is_h2c { "http2" } else { "http" };
        let port = self.ports.iter().find(|(name, _)| *name == wanted);
        port.map(|&(_, port)| port)
    }

    /// As they are written: Endpoints list those that are ready first, and leave out those that terminate.
    fn endpoints(&self) -> Vec<&Endpoint> {
        let mut endpoints: Vec<_> = self.endpoints.iter().collect();
        if self.is_endpoints {
            endpoints.retain(|it| !it.terminates());
            endpoints.sort_by_key(|it| !it.is_ready());
        }
        endpoints
    }
}

impl Endpoint {
    fn terminates(&self) -> bool {
        matches!(self.mark, '-' | '~')
    }

    fn is_ready(&self) -> bool {
        matches!(self.mark, ' ' | '?')
    }

    fn ip(&self) -> IpAddr {
        self.address.parse().unwrap()
    }

    fn is_ipv4(&self) -> bool {
        self.ip().is_ipv4()
    }

    fn pod(&self) -> String {
        self.uid.map_or(self.address.into(), |uid| uid.to_string())
    }
}

impl Objects {
    pub(super) fn begin_revisions(&mut self) {
        self.revisions.values_mut().for_each(|it| it.1 = false);
    }

    pub(super) fn end_revisions(&mut self) {
        self.revisions.retain(|_, it| it.1);
        self.shares
            .retain(|name, _| self.revisions.contains_key(name));
    }

    pub(super) fn begin_slices(&mut self) {
        self.slices.values_mut().for_each(|it| it.1 = false);
    }

    pub(super) fn end_slices(&mut self) {
        self.slices.retain(|_, it| it.1);
    }

    pub(super) fn put_revision(&mut self, revision: Revision) {
        self.revisions.insert(revision.name, (revision, true));
    }

    pub(super) fn put_slice(&mut self, slice: Slice) {
        self.slices.insert(slice.name, (slice, true));
    }

    pub(super) fn delete_revision(&mut self, name: &str) {
        self.revisions.remove(name);
        self.shares.remove(name);
    }

    pub(super) fn delete_slice(&mut self, name: &str) {
        self.slices.remove(name);
    }

    /// What is to be reported, as the lines of a scene.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let names: Vec<_> = self.revisions.keys().copied().collect();
        names.into_iter().map(|name| self.line(name)).collect()
    }

    fn line(&mut self, name: &'static str) -> String {
        let revision = self.revisions[name].0.clone();
        if let Some(share) = self.share(&revision) {
            self.shares.insert(name, share);
        }
        let mut line = name.to_owned();
        if self.has_tls {
            line += " tls:8112";
        }
        if revision.is_h2c {
            line += " http2";
        }
        if revision.concurrency > 0 {
            line += &format!(" cc:{}", revision.concurrency);
        }
        for (address, is_ready) in self.backends(&revision) {
            line += &format!(" {address}{}", if is_ready { "" } else { "!" });
        }
        if let Some((index, activators)) = self.shares.get(name) {
            line += &format!(" | {index}/{activators}");
        }
        line
    }

    fn slices<'a>(
        &'a self,
        kind: &'a str,
        revision: &'a Revision,
    ) -> impl Iterator<Item = &'a Slice> {
        let slices = self.slices.values().map(|it| &it.0);
        slices.filter(move |it| {
            it.kind == kind && it.revision == revision.name && it.port(revision.is_h2c).is_some()
        })
    }

    fn share(&self, revision: &Revision) -> Option<(usize, usize)> {
        let slices = self.slices("public", revision);
        let ready = slices
            .flat_map(Slice::endpoints)
            .filter(|it| it.is_ready() && it.is_ipv4());
        let all: BTreeSet<&str> = ready.map(|it| it.address).collect();
        let index = all.iter().position(|it| *it == OWN)?;
        Some((index, all.len()))
    }

    fn backends(&self, revision: &Revision) -> BTreeMap<SocketAddr, bool> {
        let mut pods: BTreeMap<String, Vec<(&Slice, &Endpoint)>> = BTreeMap::new();
        for slice in self.slices("private", revision) {
            for endpoint in slice.endpoints() {
                pods.entry(endpoint.pod())
                    .or_default()
                    .push((slice, endpoint));
            }
        }
        let mut backends = BTreeMap::new();
        for mut listed in pods.into_values() {
            if listed.iter().any(|it| it.1.is_ipv4()) {
                listed.retain(|it| it.1.is_ipv4());
            }
            // Of several in one slice the first: it is the last one here.
            listed.reverse();
            let newest = listed
                .into_iter()
                .max_by_key(|it| (it.0.version, it.0.name));
            let (slice, endpoint) = newest.unwrap();
            if !endpoint.terminates() {
                let port = slice.port(revision.is_h2c).unwrap();
                let address = SocketAddr::new(endpoint.ip(), port);
                *backends.entry(address).or_insert(false) |= endpoint.is_ready();
            }
        }
        backends
    }
}
