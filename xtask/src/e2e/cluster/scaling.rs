//! Revisions scale from 0 to 1, to several instances and back to 0, for each `container_concurrency` and protocol.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::activators::{Activator, Kind};
use super::client::{self, Protocol};
use super::load::Load;
use super::objects::Revision;
use super::{Cluster, Extent, with_cluster};
use crate::support::process::wait_until;

const CONCURRENCIES: [u32; 3] = [0, 1, 10];
/// The most instances of a revision; its load would take more.
const INSTANCES: usize = 3;
/// How long the application takes for a request of the load.
const STAY: Duration = Duration::from_millis(200);
/// How long the load lasts after all instances are there.
const AT_FULL_SCALE: Duration = Duration::from_secs(2);
/// Bounds each wait for the autoscaler: its windows take 6 s, its grace period too.
const SCALING: Duration = Duration::from_secs(60);

pub(crate) fn run() -> Result<()> {
    with_cluster(Extent::Knative, |cluster| {
        scene(cluster, Kind::under_test())
    })
}

fn scene(cluster: &mut Cluster, kind: Kind) -> Result<()> {
    let activator = cluster.run_activators(kind, 1, &[])?.remove(0);
    let mut revisions = Vec::new();
    for protocol in Protocol::ALL {
        for concurrency in CONCURRENCIES {
            let name = format!("{}-{concurrency}", protocol.name());
            let mut revision = Revision::new(&name, concurrency);
            revision.port_name = protocol.port_name();
            revision
                .autoscaling
                .push(("max-scale", INSTANCES.to_string()));
            if concurrency == 0 {
                // Without a limit the usual target is 100 at a time.
                revision.autoscaling.push(("target", "4".into()));
            }
            cluster.api.apply(&revision.object())?;
            revisions.push((revision, protocol));
        }
    }
    for (revision, _) in &revisions {
        cluster.wait_for_route(revision)?;
    }

    let cluster = &*cluster;
    let activator = &activator;
    std::thread::scope(|scope| {
        let up: Vec<_> = revisions
            .iter()
            .map(|(revision, protocol)| {
                scope.spawn(move || {
                    up_and_down(cluster, activator, revision, *protocol)
                        .with_context(|| format!("revision {}", revision.name))
                })
            })
            .collect();
        up.into_iter()
            .try_for_each(|one| one.join().expect("a thread of the scene does not panic"))
    })
}

fn up_and_down(
    cluster: &Cluster,
    activator: &Activator,
    revision: &Revision,
    protocol: Protocol,
) -> Result<()> {
    let address = match protocol {
        Protocol::H2c => activator.http2,
        Protocol::Http1 | Protocol::WebSocket => activator.http,
    };
    ensure!(cluster.instances(revision)? == 0, "it does not start at 0");
    let start = Instant::now();
    let seen = client::ask(address, revision, protocol)?;
    let first = start.elapsed();
    client::check(&seen, revision, protocol)?;

    // Each instance has room for some of these at a time, all of which stay for a while.
    let clients = match revision.container_concurrency {
        0 | 1 => 12,
        more => 3 * more as usize,
    };
    let start = Instant::now();
    let load = Load::of(protocol, address, revision, clients, STAY);
    let scaled = wait_until("it has not scaled up", SCALING, || {
        Ok((cluster.instances(revision)? >= INSTANCES).then(|| start.elapsed()))
    })?;
    std::thread::sleep(AT_FULL_SCALE);
    let tally = load.stop()?;

    let start = Instant::now();
    wait_until("it has not scaled to 0", SCALING, || {
        Ok((cluster.instances(revision)? == 0).then_some(()))
    })?;
    println!(
        "{}: first response after {first:.0?}, {INSTANCES} instances after {scaled:.1?}, {} requests served, 0 instances {:.1?} after the last",
        revision.name,
        tally.served,
        start.elapsed()
    );
    let probes = cluster.names.probes(&revision.name);
    ensure!(
        probes
            .iter()
            .any(|response| response.starts_with("HTTP/1.1 200")),
        "the autoscaler asked who stands in front of it and was told {probes:?}"
    );
    Ok(())
}
