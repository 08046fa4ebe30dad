//! What is kept of the objects that list addresses: EndpointSlices, and Endpoints where those are forbidden.

use std::net::IpAddr;

use super::problems::Findings;
use crate::source::kubernetes::object::{
    self, EndpointSlice, Endpoints, Lenient, List, Object, TargetRef, Uid,
};

/// Addresses with the same ports.
#[derive(Debug)]
pub(super) struct Subset {
    pub(super) ports: Ports,
    pub(super) endpoints: Vec<Endpoint>,
}

/// The ports named `http` and `http2`; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ports {
    http: u16,
    http2: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) pod: Pod,
    pub(super) address: IpAddr,
    pub(super) state: State,
}

/// Identifies a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pod {
    Uid(Uid),
    /// The only thing known of it.
    At(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    NotReady,
    Terminating,
}

impl Ports {
    pub(super) fn of(self, http2: bool) -> Option<u16> {
        let port = if http2 { self.http2 } else { self.http };
        (port != 0).then_some(port)
    }

    pub(super) fn read(ports: &List<object::Port>, findings: &mut Findings) -> Self {
        const FIELD: &str = "ports";
        const PORT: &str = "ports.port";
        let mut read = Self::default();
        findings.check(FIELD, ports, "a list");
        for port in ports.elements() {
            findings.check(FIELD, port, "a list of objects");
            let Some(object::Port { name, port }) = port.value() else {
                continue;
            };
            let target = match name.value().map(|it| &**it) {
                Some("http") => &mut read.http,
                Some("http2") => &mut read.http2,
                _ => continue,
            };
            match port.value() {
                Some(&port @ 1..) => *target = port,
                Some(0) | None => {
                    let looks = port.bad().unwrap_or("0");
                    findings.add(
                        PORT,
                        format_args!("{PORT} is {looks}, but must be 1 to 65535"),
                    );
                }
            }
        }
        read
    }
}

impl Endpoint {
    fn new(address: IpAddr, target: &Lenient<TargetRef>, state: State) -> Self {
        let uid = target.value().and_then(|it| it.uid.value());
        Self {
            pod: uid.map_or(Pod::At(address), |&uid| Pod::Uid(uid)),
            address,
            state,
        }
    }
}

/// An object that lists addresses.
pub(super) trait Addresses: Object {
    /// Bad endpoints are left out.
    fn subsets(&self, findings: &mut Findings) -> Vec<Subset>;
}

impl Addresses for EndpointSlice {
    fn subsets(&self, findings: &mut Findings) -> Vec<Subset> {
        findings.check("endpoints", &self.endpoints, "a list");
        let endpoints = self.endpoints.elements().iter();
        let endpoints = endpoints.filter_map(|it| endpoint(it, findings)).collect();
        vec![Subset {
            endpoints,
            ports: Ports::read(&self.ports, findings),
        }]
    }
}

fn endpoint(endpoint: &Lenient<object::Endpoint>, findings: &mut Findings) -> Option<Endpoint> {
    findings.check("endpoints", endpoint, "a list of objects");
    let endpoint = endpoint.value()?;
    let address = endpoint.addresses.elements().first();
    let address = ip(
        "endpoints.addresses",
        address.unwrap_or(&Lenient::Missing),
        findings,
    )?;
    Some(Endpoint::new(
        address,
        &endpoint.target_ref,
        state(&endpoint.conditions, findings),
    ))
}

/// What is bad counts as not ready: a probe may still find that it is.
fn state(conditions: &Lenient<object::Conditions>, findings: &mut Findings) -> State {
    const FIELD: &str = "endpoints.conditions";
    findings.check(FIELD, conditions, "an object");
    let conditions = match conditions {
        Lenient::Is(conditions) => conditions,
        Lenient::Missing => return State::Ready,
        Lenient::Bad(_) => return State::NotReady,
    };
    findings.check(
        "endpoints.conditions.ready",
        &conditions.ready,
        "true or false",
    );
    findings.check(
        "endpoints.conditions.terminating",
        &conditions.terminating,
        "true or false",
    );
    match (&conditions.terminating, &conditions.ready) {
        (Lenient::Is(true), _) => State::Terminating,
        (_, Lenient::Missing | Lenient::Is(true)) => State::Ready,
        (_, Lenient::Is(false) | Lenient::Bad(_)) => State::NotReady,
    }
}

fn ip(field: &'static str, ip: &Lenient<IpAddr>, findings: &mut Findings) -> Option<IpAddr> {
    findings.check(field, ip, "an IP address");
    if *ip == Lenient::Missing {
        findings.add(field, format_args!("{field} is missing for an endpoint"));
    }
    ip.value().copied()
}

impl Addresses for Endpoints {
    fn subsets(&self, findings: &mut Findings) -> Vec<Subset> {
        findings.check("subsets", &self.subsets, "a list");
        let mut subsets = Vec::new();
        for subset in self.subsets.elements() {
            findings.check("subsets", subset, "a list of objects");
            let Some(subset) = subset.value() else {
                continue;
            };
            let mut endpoints = Vec::new();
            let lists = [
                ("subsets.addresses", &subset.addresses, State::Ready),
                (
                    "subsets.notReadyAddresses",
                    &subset.not_ready_addresses,
                    State::NotReady,
                ),
            ];
            for (field, list, state) in lists {
                findings.check(field, list, "a list");
                for it in list.elements() {
                    findings.check(field, it, "a list of objects");
                    let Some(it) = it.value() else { continue };
                    let address = ip(field, &it.ip, findings);
                    endpoints.extend(
                        address.map(|address| Endpoint::new(address, &it.target_ref, state)),
                    );
                }
            }
            subsets.push(Subset {
                endpoints,
                ports: Ports::read(&subset.ports, findings),
            });
        }
        subsets
    }
}
