//! The settings of a revision, and the `[[revision]]` sections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Revision, RevisionKey};

use super::file::{Element, Reader, Section};
use super::group::Groups;
use super::hosts::{self, Listed};
use super::launch::{self, LaunchDraft, Shared};
use super::{Probe, Protocol, RevisionSpec, ThrottleConfig, TimeoutLimits};
use crate::host::HostPattern;
use crate::revision::LaunchSpec;
use crate::revision::launch::Ready;
use crate::settings::{Value, settings};

/// The range of every bound on a queue.
pub(super) const QUEUE_DEPTH: RangeInclusive<u64> = 0..=100_000_000;

/// The kinds of probes, by name.
pub(super) const PROBES: &[(&str, Probe)] = &[
    ("knative", Probe::Knative),
    ("tcp", Probe::Tcp),
    ("none", Probe::None),
];

/// The protocols, by name.
pub(super) const PROTOCOLS: &[(&str, Protocol)] = &[
    ("auto", Protocol::Auto),
    ("http1", Protocol::Http1),
    ("h2c", Protocol::H2c),
];

settings! {
    /// A revision as it was written, before it is known to be complete.
    #[derive(Clone)]
    pub struct Draft in "" {
        /// A DNS label of at most 63 characters.
        namespace: String = required, by(namespace);
        /// A DNS subdomain of at most 253 characters, unique in its namespace.
        name: String = required, dns_name();
        /// The service that it belongs to.
        service: Option<String> = None, dns_name();
        /// The configuration that created it; the service's name when unset.
        configuration: Option<String> = None, dns_name();
        /// The hosts whose requests are for it, in a list: like app.example.org, *.example.org, or * for all others.
        hosts: Vec<HostPattern> = [], by(hosts::read);
        /// The most concurrent requests per instance; 0 for no limit.
        container_concurrency: u32 = "0", whole(0..=1_000_000);
        /// The most requests queued for it; throttle.queue_depth when unset.
        queue_depth: Option<usize> = None, whole(QUEUE_DEPTH);
        /// How its instances are probed: knative, tcp or none.
        probe: Probe = "tcp", choice(PROBES);
        /// The HTTP version for its instances: auto (the client's, or 1.1 if 2 is refused), http1 or h2c.
        protocol: Protocol = "auto", choice(PROTOCOLS);
        /// Whether requests to its instances use TLS, as in `[backend_tls]`; probes never do: true or false.
        tls: bool = "false", truth();
    }
    sections {
        /// How long its requests may take.
        timeouts: TimeoutLimits;
    }
    others {
        /// The addresses of its instances.
        backends: Vec<SocketAddr>;
        /// How its instances are started, if that is done here.
        launch: Option<Arc<LaunchSpec>>;
    }
}

settings! {
    /// A section of the file.
    #[derive(Clone)]
    struct Written in "" {}
    sections {
        /// What every revision has.
        draft: Draft;
        /// How instances are started, if that is done here.
        launch: LaunchDraft;
    }
}

/// How long a request may take to instances that are started here, unless it is set: there are streams and WebSockets that
/// people keep open, and nobody else to say how long.
const LAUNCHED_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl Draft {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Its instances are started here.
    pub(super) fn set_launch(&mut self, launch: Arc<LaunchSpec>, is_timeout_set: bool) {
        self.launch = Some(launch);
        if !is_timeout_set {
            self.timeouts.total = LAUNCHED_TIMEOUT;
        }
    }

    /// `None` without a valid name, which has been reported as a problem by then.
    fn key(&self) -> Option<RevisionKey> {
        RevisionKey::try_new(&self.namespace, &self.name).ok()
    }

    /// The revision, with what is unset inherited from `[throttle]`. `None` without a valid name.
    pub(super) fn finish(self, inherited: &ThrottleConfig) -> Option<RevisionSpec> {
        let service: Arc<str> = self.service.as_deref().unwrap_or_default().into();
        let configuration = match self.configuration.as_deref() {
            Some(own) if *own != *service => own.into(),
            _ => Arc::clone(&service),
        };
        Some(RevisionSpec {
            key: self.key()?,
            revision: Revision {
                service,
                configuration,
            },
            hosts: self.hosts.into(),
            container_concurrency: self.container_concurrency,
            queue_depth: self.queue_depth.unwrap_or(inherited.queue_depth),
            timeouts: self.timeouts,
            probe: self.probe,
            protocol: self.protocol,
            tls: self.tls,
            backends: self.backends,
            cluster: None,
            launch: self.launch,
        })
    }

    /// Takes the backends from a list. Calls `problem` with the index and message of each invalid one.
    pub(super) fn read_backends<'a>(
        &mut self,
        values: impl Iterator<Item = Value<'a>>,
        mut problem: impl FnMut(usize, String),
    ) {
        let mut seen = BTreeSet::new();
        for (index, value) in values.enumerate() {
            match value.address() {
                Ok(address) if address.port() == 0 => {
                    problem(
                        index,
                        format!("\"{address}\" has port 0, which cannot be connected to"),
                    );
                }
                Ok(address) if !seen.insert(address) => {
                    problem(index, format!("\"{address}\" is listed twice"));
                }
                Ok(address) => self.backends.push(address),
                Err(message) => problem(index, message),
            }
        }
    }
}

/// The field that lists a revision's instances.
pub(super) const BACKENDS: &str = "backends";
/// What is expected in it.
pub(super) const BACKENDS_EXPECTED: &str = "a list of addresses, like [\"10.0.0.1:8012\"]";

/// Reads the sections `[[revision]]`.
pub(super) fn read_all(reader: &mut Reader<'_>, root: &Section<'_>, groups: Groups) -> Vec<Draft> {
    let mut shared = Shared::new(groups);
    let mut seen = BTreeMap::new();
    let mut hosts = Listed::default();
    let mut revisions = Vec::new();
    let others = [&[BACKENDS], launch::OTHERS].concat();
    // Cloned, because its defaults are parsed from text.
    let blank = Written::default();
    for section in reader.sections(root, "revision") {
        let before = reader.problems.as_slice().len();
        let mut written = blank.clone();
        let locations = reader.read(&section, &others, &mut written);
        let Written {
            mut draft,
            mut launch,
        } = written;
        let backends = reader.elements(&section, BACKENDS, BACKENDS_EXPECTED);
        let values = backends.iter().map(|element| Value::Toml(element.value));
        draft.read_backends(values, |index, message| {
            let Element { name, location, .. } = &backends[index];
            reader
                .problems
                .push(location.clone(), name.as_str(), message);
        });
        if draft.tls || draft.protocol == Protocol::H2c {
            // What is asked otherwise speaks plain HTTP/1.1.
            launch.ready.get_or_insert(Ready::Tcp);
        }
        let launch = launch.finish(reader, &section, &locations, before, draft.tls, &mut shared);
        if let Some(launch) = launch {
            draft.set_launch(launch, locations.contains_key("timeout"));
        }
        let Some(key) = draft.key() else {
            continue;
        };
        if let Some(other) = seen.insert(key.clone(), section.name.clone()) {
            let message = format!("{key} is already defined by {other}");
            reader
                .problems
                .push(section.location, section.name, message);
            continue;
        }
        hosts.add(&draft.hosts, reader, &section, &locations);
        revisions.push(draft);
    }
    revisions
}

fn namespace(value: &Value<'_>) -> Result<String, String> {
    let text = value.string("a name in quotes")?;
    match RevisionKey::try_new(text, "name") {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string().replacen("namespace ", "", 1)),
    }
}
