//! What is read of a revision.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Revision, RevisionKey};

use super::private_service;
use super::problems::Findings;
use crate::probe::{InCluster, Probe, Share};
use crate::revision::RevisionSpec;
use crate::source::kubernetes::object::{self, Container, Lenient, Object, RevisionFields};
use crate::timeouts::TimeoutLimits;
use crate::upstream::protocol::Protocol;

/// As in the configuration.
const MAX_CONCURRENCY: u32 = 1_000_000;
/// In seconds, as in the configuration.
const MAX_TIMEOUT: u32 = 365 * 24 * 60 * 60;
/// Knative's `revision-timeout-seconds`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// The revision, without instances.
pub(super) fn spec(
    object: &object::Revision,
    key: RevisionKey,
    queue_depth: usize,
    share: Option<Share>,
    findings: &mut Findings,
) -> RevisionSpec {
    findings.check("spec", &object.spec, "an object");
    let missing = RevisionFields::default();
    let fields = object.spec.value().unwrap_or(&missing);
    let containers = fields.containers.elements();
    findings.check("spec.containers", &fields.containers, "a list");
    for container in containers {
        findings.check("spec.containers", container, "a list of objects");
    }
    let main = main_container(containers);
    let cluster = InCluster {
        not_ready: Vec::new(),
        trusts_probe: trusts_probe(main, containers),
        share,
        private_service: private_service::name(key.name()).into(),
        http2: main.is_some_and(is_h2c),
        tls_port: None,
    };
    let concurrency = whole(
        "spec.containerConcurrency",
        &fields.container_concurrency,
        MAX_CONCURRENCY,
        findings,
    );
    RevisionSpec {
        revision: labels(object, findings),
        hosts: Arc::default(),
        container_concurrency: concurrency,
        queue_depth,
        timeouts: timeouts(fields, findings),
        probe: Probe::Knative,
        protocol: Protocol::Auto,
        tls: false,
        backends: Vec::new(),
        cluster: Some(Arc::new(cluster)),
        launch: None,
        key,
    }
}

fn labels(object: &object::Revision, findings: &mut Findings) -> Revision {
    let service = object.label(|it| &it.service);
    let configuration = object.label(|it| &it.configuration);
    findings.check("label serving.knative.dev/service", &service, "a name");
    findings.check(
        "label serving.knative.dev/configuration",
        &configuration,
        "a name",
    );
    let service: Arc<str> = service.value().map_or("", |it| it).into();
    let configuration = match configuration.value() {
        Some(own) if **own != *service => (**own).into(),
        _ => Arc::clone(&service),
    };
    Revision {
        service,
        configuration,
    }
}

fn timeouts(fields: &RevisionFields, findings: &mut Findings) -> TimeoutLimits {
    let mut limit = |field, value| {
        let seconds = whole(field, value, MAX_TIMEOUT, findings);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    };
    TimeoutLimits {
        total: limit("spec.timeoutSeconds", &fields.timeout_seconds).unwrap_or(DEFAULT_TIMEOUT),
        response_start: limit(
            "spec.responseStartTimeoutSeconds",
            &fields.response_start_timeout_seconds,
        ),
        idle: limit("spec.idleTimeoutSeconds", &fields.idle_timeout_seconds),
    }
}

/// 0 if it is missing or bad or below 0, the greatest value if it is above that.
fn whole(field: &'static str, value: &Lenient<i64>, greatest: u32, findings: &mut Findings) -> u32 {
    let (looks, used): (&dyn Display, _) = match value {
        Lenient::Missing => return 0,
        Lenient::Is(value) => match u32::try_from(*value) {
            Ok(whole) if whole <= greatest => return whole,
            _ if *value < 0 => (value, None),
            _ => (value, Some(greatest)),
        },
        Lenient::Bad(looks) => (looks, None),
    };
    let range = format_args!("{field} is {looks}, but must be 0 to {greatest}");
    match used {
        None => findings.add(field, format_args!("{range}: the default is used")),
        Some(used) => findings.add(field, format_args!("{range}: {used} is used")),
    }
    used.unwrap_or(0)
}

/// The one with ports, or the only one.
fn main_container(containers: &[Lenient<Container>]) -> Option<&Container> {
    if let [only] = containers {
        return only.value();
    }
    let mut containers = containers.iter().filter_map(Lenient::value);
    containers.find(|it| !it.ports.elements().is_empty())
}

fn is_h2c(container: &Container) -> bool {
    let first = container.ports.elements().first();
    let name = first.and_then(|it| it.value()?.name.value());
    name.is_some_and(|name| **name == *"h2c")
}

/// The kubelet alone runs startup probes, and commands.
fn trusts_probe(main: Option<&Container>, all: &[Lenient<Container>]) -> bool {
    let readiness = main.and_then(|it| it.readiness_probe.value());
    let has_command = readiness.is_some_and(|it| it.exec.value().is_some());
    let mut all = all.iter().filter_map(Lenient::value);
    !has_command && !all.any(|it| it.startup_probe.value().is_some())
}
