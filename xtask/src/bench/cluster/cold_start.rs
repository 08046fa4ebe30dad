//! Cold starts from 0 to 1 instance, and how soon an instance that can be used is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::results::{Results, Rounds, Target};
use super::subject::Kind;
use super::{Scene, instances};
use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::api::{Change, Stop};
use crate::e2e::cluster::client::{agent, get};
use crate::e2e::cluster::objects::{Revision, USER, items, text};
use crate::support::http;
use crate::support::process::wait_until;

/// How long an instance takes until it listens.
const DELAY: &str = "200ms";
/// Without that agent queue-proxy passes a probe on to the application.
const PROBE: &str = "User-Agent: Knative-Activator-Probe\r\nK-Network-Probe: queue\r\n";
const PRIVATE: &str = "labelSelector=networking.internal.knative.dev%2FserviceType%3DPrivate";

/// Starts each of so many revisions once by each activator.
pub(super) fn run(scene: &Scene<'_>, results: &mut Results) -> Result<()> {
    let cluster = &*scene.cluster;
    let revisions: Vec<_> = (0..scene.size.cold_starts)
        .map(|number| {
            let mut revision = Revision::new(&format!("cold-{number:02}"), 10);
            revision.start_delay = DELAY;
            revision
        })
        .collect();
    for revision in &revisions {
        cluster.api.apply(&revision.object())?;
    }
    for revision in &revisions {
        cluster.wait_for_route(revision)?;
    }
    // The first start of a revision takes Kubernetes and Knative a second or two more than the next ones.
    let subject = scene.stand.start(Kind::Knative)?;
    let activator = subject.http();
    std::thread::scope(|scope| {
        let start = |revision| scope.spawn(move || served(activator, revision));
        let starts: Vec<_> = revisions.iter().map(start).collect();
        let mut starts = starts.into_iter();
        starts.try_for_each(|it| it.join().expect("it only waits").map(drop))
    })?;
    instances::wait_for_none(cluster, &revisions)?;
    // Without an activator nothing scales to 0.
    let mut subject = Some(subject);
    let (mut times, mut gaps) = (Rounds::default(), Rounds::default());
    // In turns, each revision by the one activator in the first pass and by the other one in the second.
    for pass in 0..2 {
        for (turn, revisions) in revisions.chunks(revisions.len().div_ceil(4)).enumerate() {
            let kind = Kind::ALL[(turn + pass) % 2];
            // One at a time.
            drop(subject.take());
            let subject = subject.insert(scene.stand.start(kind)?);
            let watching = Watching::start(cluster);
            for revision in revisions {
                let start = watching.cold_start(subject.http(), revision)?;
                times.push(kind, start.time.as_secs_f64() * 1e3);
                gaps.push(kind, start.gap * 1e3);
            }
        }
        instances::wait_for_none(cluster, &revisions)?;
    }
    results.both(
        "cold start, a request",
        times.medians(),
        "ms",
        Target::Ratio(1.0),
    );
    let longest = |gaps: &[f64]| gaps.iter().copied().fold(f64::MIN, f64::max);
    for (what, gaps) in [
        ("median", gaps.medians()),
        ("longest", Kind::ALL.map(|kind| longest(gaps.of(kind)))),
    ] {
        let name = format!("cold start, from a usable instance to its first request, {what}");
        results.both(&name, gaps, "ms", Target::Most(10.0));
    }
    Ok(())
}

/// What the application saw of a request.
fn served(activator: SocketAddr, revision: &Revision) -> Result<Value> {
    let (status, body) = get(&agent(), activator, revision, "/")?;
    ensure!(status == 200, "{}: {status} {body}", revision.name);
    Ok(serde_json::from_str(&body)?)
}

/// What was measured of one start.
struct ColdStart {
    time: Duration,
    /// Seconds from the later of *its address is in a slice* and *its queue-proxy answers probes* to the first request
    /// at the application.
    gap: f64,
}

/// Sees instances come, and asks each of them until it answers.
struct Watching {
    instances: Arc<Mutex<Vec<Instance>>>,
    stop: Stop,
}

/// An instance that has an address.
struct Instance {
    revision: String,
    address: String,
    in_slice: SystemTime,
    answers: Option<SystemTime>,
}

impl Watching {
    fn start(cluster: &Cluster) -> Self {
        let (instances, stop) = (Arc::new(Mutex::new(Vec::new())), Stop::default());
        let collection = format!("/apis/discovery.k8s.io/v1/namespaces/{USER}/endpointslices");
        let seen = Arc::clone(&instances);
        cluster
            .api
            .watch(&collection, PRIVATE, &stop, move |change| {
                let slices = match change {
                    Change::All(slices) => slices,
                    Change::Applied(slice) => vec![slice],
                    Change::Deleted(_) => Vec::new(),
                };
                for slice in &slices {
                    take(&seen, slice);
                }
            });
        Self { instances, stop }
    }

    fn cold_start(&self, activator: SocketAddr, revision: &Revision) -> Result<ColdStart> {
        let begin = (Instant::now(), SystemTime::now());
        let seen = served(activator, revision)?;
        let time = begin.0.elapsed();
        let at = seen["at"].as_u64().context("the application says when")?;
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(at);
        let what = format!("no instance of {} is seen", revision.name);
        let usable = wait_until(&what, Duration::from_secs(10), || {
            let instances = lock(&self.instances);
            let instance = instances
                .iter()
                .find(|it| it.revision == revision.name && it.in_slice > begin.1);
            Ok(instance.and_then(|instance| Some(instance.answers?.max(instance.in_slice))))
        })?;
        let gap = match at.duration_since(usable) {
            Ok(later) => later.as_secs_f64(),
            // The activator learned of it before this program did.
            Err(earlier) => -earlier.duration().as_secs_f64(),
        };
        Ok(ColdStart { time, gap })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn lock(instances: &Mutex<Vec<Instance>>) -> std::sync::MutexGuard<'_, Vec<Instance>> {
    instances.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the addresses of a slice that are new, and begins to ask there.
fn take(instances: &Arc<Mutex<Vec<Instance>>>, slice: &Value) {
    let revision = text(slice, "/metadata/labels/serving.knative.dev~1revision");
    for endpoint in items(slice, "/endpoints") {
        let address = text(endpoint, "/addresses/0").to_owned();
        let mut known = lock(instances);
        if known.iter().any(|it| it.address == address) {
            continue;
        }
        known.push(Instance {
            revision: revision.to_owned(),
            address: address.clone(),
            in_slice: SystemTime::now(),
            answers: None,
        });
        let instances = Arc::clone(instances);
        std::thread::spawn(move || {
            let answers = ask(&address);
            let mut known = lock(&instances);
            if let Some(instance) = known.iter_mut().find(|it| it.address == address) {
                instance.answers = answers;
            }
        });
    }
}

/// When a queue-proxy answers a probe.
fn ask(address: &str) -> Option<SystemTime> {
    let address = format!("{address}:8012").parse().ok()?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        let answer = http::get(address, "/healthz", PROBE);
        if answer.is_ok_and(|answer| answer.status == 200 && answer.body == "queue") {
            return Some(SystemTime::now());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}
