//! Knative's activator and ours do the same work, one after the other and then together.

mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::activators::{Activator, Kind};
use super::client::{agent, get};
use super::ingress::Ingress;
use super::load::Load;
use super::objects::{Revision, text};
use super::{Cluster, Extent, long, with_cluster};
use crate::support::median::median;
use crate::support::process::wait_until;

/// How long the application of a cold start takes until it listens.
const START: &str = "200ms";
/// The load on one activator: its clients, and how long it lasts.
const CLIENTS: usize = 30;
const LOAD: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_secs(60);

/// Which instances, in the order of their addresses, belong to the first and to the second of two activators.
struct Shares {
    container_concurrency: u32,
    instances: usize,
    of_two: [&'static [usize]; 2],
}

const SHARES: [Shares; 2] = [
    Shares {
        container_concurrency: 10,
        instances: 3,
        of_two: [&[0, 2], &[1]],
    },
    Shares {
        container_concurrency: 1,
        instances: 5,
        of_two: [&[0, 1, 4], &[2, 3]],
    },
];

pub(crate) fn run() -> Result<()> {
    with_cluster(Extent::Knative, |cluster| {
        for kind in Kind::BOTH {
            let names = [("ACTIVATOR_METRICS_NAMES", "both")];
            let variables = [kind.short_drain(), &names].concat();
            cluster.run_activators(kind, 0, &variables)?;
        }
        let cold: Vec<Revision> = (0..if long() { 20 } else { 5 })
            .map(|number| {
                let mut revision = Revision::new(&format!("cold-{number}"), 10);
                revision.start_delay = START;
                revision
            })
            .collect();
        for revision in &cold {
            cluster.api.apply(&revision.object())?;
        }
        for kind in Kind::BOTH {
            alone(cluster, kind, &cold).with_context(|| kind.name())?;
        }
        together(cluster)
    })
}

/// Cold starts and load through one kind only.
fn alone(cluster: &Cluster, kind: Kind, cold: &[Revision]) -> Result<()> {
    let activator = cluster.scale_activators(kind, 1)?.remove(0);
    let mut busy = Revision::new(&format!("{}-busy", kind.name()), 10);
    busy.autoscaling.push(("max-scale", "4".into()));
    cluster.api.apply(&busy.object())?;
    for revision in cold.iter().chain([&busy]) {
        cluster.wait_for_route(revision)?;
    }
    if kind == Kind::BOTH[0] {
        // Knative's autoscaler takes up to 2 s longer for the first start of all.
        cold_starts(cluster, &activator, cold)?;
    }
    let starts = cold_starts(cluster, &activator, cold)?;
    println!(
        "{}: {} cold starts of an application that takes {START}: median {:.3?}, from {:.3?} to {:.3?}",
        kind.name(),
        starts.len(),
        median(&starts),
        starts.iter().min().context("no start")?,
        starts.iter().max().context("no start")?,
    );
    let address = activator.http;
    let load = Load::http1(&busy, CLIENTS, "/?sleep=50ms", move || vec![address]);
    std::thread::sleep(LOAD);
    let instances = cluster.instances(&busy)?;
    let tally = load.stop()?;
    println!(
        "{}: {} requests by {CLIENTS} clients in {LOAD:?}, {instances} instances, the slowest took {:.0?}",
        kind.name(),
        tally.served,
        tally.slowest,
    );
    ensure!(instances > 1, "the load did not scale it up");
    cluster.scale_activators(kind, 0).map(drop)
}

/// How long a request to each revision takes that finds it at zero.
fn cold_starts(
    cluster: &Cluster,
    activator: &Activator,
    revisions: &[Revision],
) -> Result<Vec<Duration>> {
    for revision in revisions {
        let what = format!("{} does not scale to 0", revision.name);
        wait_until(&what, SOON, || {
            Ok((cluster.instances(revision)? == 0).then_some(()))
        })?;
    }
    let start = |revision: &Revision| {
        let start = Instant::now();
        let (status, body) = get(&agent(), activator.http, revision, "/")?;
        ensure!(status == 200, "{}: {status} {body}", revision.name);
        Ok(start.elapsed())
    };
    revisions.iter().map(start).collect()
}

/// One of each in one set: each uses its share; one after the other is taken away and brought back under load.
fn together(cluster: &Cluster) -> Result<()> {
    for kind in Kind::BOTH {
        cluster.scale_activators(kind, 1)?;
    }
    let mut revisions = Vec::new();
    for shares in &SHARES {
        let name = format!("shared-{}", shares.container_concurrency);
        let mut revision = Revision::new(&name, shares.container_concurrency);
        for limit in ["min-scale", "max-scale"] {
            revision
                .autoscaling
                .push((limit, shares.instances.to_string()));
        }
        // The activators stay in the path.
        revision
            .autoscaling
            .push(("target-burst-capacity", "-1".into()));
        cluster.api.apply(&revision.object())?;
        let ingress = Ingress::of(&revision, &cluster.api, &cluster.stop);
        revisions.push((revision, shares, ingress));
    }
    agree(cluster, &revisions)?;
    let [(busy, _, ingress), ..] = &revisions[..] else {
        unreachable!("there are two")
    };
    for kind in Kind::BOTH {
        let addresses = ingress.clone();
        let load = Load::http1(busy, CLIENTS, "/?sleep=20ms", move || addresses.addresses());
        std::thread::sleep(Duration::from_secs(1));
        cluster.scale_activators(kind, 0)?;
        wait_until("one activator is not alone in the path", SOON, || {
            Ok((ingress.addresses().len() == 1).then_some(()))
        })?;
        std::thread::sleep(LOAD);
        cluster.scale_activators(kind, 1)?;
        wait_until("there are not two activators in the path", SOON, || {
            Ok((ingress.addresses().len() == 2).then_some(()))
        })?;
        std::thread::sleep(Duration::from_secs(1));
        let tally = load
            .stop()
            .with_context(|| format!("without {}", kind.name()))?;
        println!(
            "{} was taken away and brought back: {} requests served, none failed, the slowest took {:.0?}",
            kind.name(),
            tally.served,
            tally.slowest
        );
        agree(cluster, &revisions)?;
    }
    metrics::compare(cluster, &revisions[0].0)
}

/// Waits until each of the two activators sends to the instances of its own share, and to all of them.
fn agree(cluster: &Cluster, revisions: &[(Revision, &Shares, Ingress)]) -> Result<()> {
    let mut pair: Vec<(Kind, Activator)> = Vec::new();
    for kind in Kind::BOTH {
        pair.extend(cluster.activators(kind)?.into_iter().map(|one| (kind, one)));
    }
    pair.sort_by_key(|(_, activator)| activator.http.ip().to_string());
    ensure!(pair.len() == 2, "there are {} activators", pair.len());
    for (revision, shares, _) in revisions {
        for ((kind, activator), share) in pair.iter().zip(shares.of_two) {
            let mut seen = BTreeMap::new();
            let what = format!(
                "{} does not take its share of {}",
                kind.name(),
                revision.name
            );
            let capacity = u64::from(revision.container_concurrency) * share.len() as u64;
            let result = wait_until(&what, SOON, || {
                let instances = cluster.instance_names(revision)?;
                if instances.len() != shares.instances {
                    return Ok(None);
                }
                let expected = share.iter().map(|&index| instances[index].clone());
                let expected: BTreeSet<String> = expected.collect();
                seen = used(activator, revision, shares)?;
                let same = seen.keys().eq(&expected) && seen.values().sum::<u64>() == capacity;
                Ok(same.then_some(()))
            });
            result.with_context(|| format!("it used {seen:?}"))?;
            println!(
                "{} has the instances {share:?} of {}: {capacity} requests at once",
                kind.name(),
                revision.name
            );
        }
    }
    Ok(())
}

/// To which instances an activator sends twice as many requests as all of them take, and how many each had at once.
fn used(
    activator: &Activator,
    revision: &Revision,
    shares: &Shares,
) -> Result<BTreeMap<String, u64>> {
    let requests = 2 * shares.instances * revision.container_concurrency as usize;
    let answers: Vec<Result<Value>> = std::thread::scope(|scope| {
        let one = || {
            scope.spawn(|| {
                let (status, body) = get(&agent(), activator.http, revision, "/?sleep=500ms")?;
                ensure!(status == 200, "{status} {body}");
                Ok(serde_json::from_str(&body)?)
            })
        };
        let all: Vec<_> = (0..requests).map(|_| one()).collect();
        let join = |one: std::thread::ScopedJoinHandle<'_, _>| {
            one.join().expect("a client thread does not panic")
        };
        all.into_iter().map(join).collect()
    });
    let mut used = BTreeMap::new();
    for answer in answers {
        let answer = answer?;
        let most = used.entry(text(&answer, "/pod").to_owned()).or_insert(0);
        *most = answer["in_flight"].as_u64().unwrap_or(0).max(*most);
    }
    Ok(used)
}
