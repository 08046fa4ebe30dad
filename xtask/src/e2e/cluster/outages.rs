//! One part of the cluster after another goes away under load and comes back: no request fails.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::activators::{Activator, Kind};
use super::client::{agent, get};
use super::ingress::Ingress;
use super::load::Load;
use super::objects::Revision;
use super::{Cluster, Extent, long, with_cluster};
use crate::support::http;
use crate::support::process::wait_until;

/// Clients of the load, each of whose requests takes some time.
const CLIENTS: usize = 8;
const PATH: &str = "/?sleep=20ms";
/// How long a request takes that the old activator finishes.
const IN_FLIGHT: Duration = Duration::from_secs(8);
const SOON: Duration = Duration::from_secs(60);
/// More than a watch or a link takes to be there again.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn run() -> Result<()> {
    with_cluster(Extent::Knative, |cluster| {
        scene(cluster, Kind::under_test())
    })
}

fn scene(cluster: &mut Cluster, kind: Kind) -> Result<()> {
    let away = Duration::from_secs(if long() { 60 } else { 5 });
    let activator = cluster
        .run_activators(kind, 1, kind.short_drain())?
        .remove(0);
    let mut busy = Revision::new("busy", 10);
    busy.autoscaling.push(("min-scale", "2".into()));
    // The activator stays in the path.
    let capacity = ("target-burst-capacity", "-1".into());
    busy.autoscaling.push(capacity);
    let names = ["without-api", "without-autoscaler", "without-controller"];
    let sleeping = names.map(|name| Revision::new(name, 10));
    for revision in sleeping.iter().chain([&busy]) {
        cluster.api.apply(&revision.object())?;
        cluster.wait_for_route(revision)?;
    }
    wait_until("there are not two instances", SOON, || {
        Ok((cluster.instances(&busy)? == 2).then_some(()))
    })?;
    let ingress = Ingress::of(&busy, &cluster.api, &cluster.stop);
    let addresses = ingress.clone();
    let load = Load::http1(&busy, CLIENTS, PATH, move || addresses.addresses());
    std::thread::sleep(SETTLE);

    let [without_api, without_autoscaler, without_controller] = &sleeping;
    println!("the API server is killed for {away:?}, and etcd compacted meanwhile");
    cluster.control_plane.api_server.kill();
    let held = send(&ingress, without_api, "/")?;
    std::thread::sleep(away);
    cluster.control_plane.compact()?;
    ensure!(!held.is_finished(), "it was served without an instance");
    if kind == Kind::Ours {
        let age = oldest_watch(&activator)?;
        println!("a watch heard nothing for {age:.1} s");
        ensure!(age > away.as_secs_f64() / 2.0, "the metric hides that");
    }
    cluster.control_plane.start_api_server_again()?;
    served(held, "the API server's return")?;
    std::thread::sleep(SETTLE);
    cluster.control_plane.compact()?;

    println!("the autoscaler is killed for {away:?}");
    cluster.knative()?.autoscaler.kill();
    let held = send(&ingress, without_autoscaler, "/")?;
    std::thread::sleep(away);
    ensure!(!held.is_finished(), "it was served without an instance");
    cluster.knative()?.autoscaler.start_again()?;
    served(held, "the autoscaler's return")?;

    println!("Knative's controller is killed for {away:?}");
    cluster.knative()?.controller.kill();
    let held = send(&ingress, without_controller, "/")?;
    served(held, "it was sent without a controller")?;
    std::thread::sleep(away);
    cluster.knative()?.controller.start_again()?;
    // It works again when a new revision has a route.
    let afterwards = Revision::new("afterwards", 10);
    cluster.api.apply(&afterwards.object())?;
    cluster.wait_for_route(&afterwards)?;

    println!("the activator's pod is replaced");
    let in_flight = send(
        &ingress,
        &busy,
        &format!("/?sleep={}s", IN_FLIGHT.as_secs()),
    )?;
    let new = cluster.restart_activators(kind)?.remove(0);
    wait_until("the new activator is not in the path", SOON, || {
        Ok((ingress.addresses() == [new.http]).then_some(()))
    })?;
    served(in_flight, "the old one began to end")?;
    served(
        send(&ingress, &afterwards, "/")?,
        "it was sent to the new one",
    )?;
    let tally = load.stop()?;
    let (served, slowest) = (tally.served, tally.slowest);
    println!(
        "{served} requests of the load were served, the slowest in {slowest:.0?}; none failed"
    );
    Ok(())
}

/// The most seconds for which a watch of ours has heard nothing.
fn oldest_watch(activator: &Activator) -> Result<f64> {
    let metrics = http::get(activator.admin, "/metrics", "")?.body;
    let ages = metrics
        .lines()
        .filter(|line| line.starts_with("activator_watch_age_seconds{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    ages.reduce(f64::max).context("no watch has an age")
}

type Held = JoinHandle<(Instant, Result<(u16, String)>)>;

/// Sends one request.
fn send(ingress: &Ingress, revision: &Revision, path: &str) -> Result<Held> {
    let address: Option<SocketAddr> = ingress.addresses().first().copied();
    let address = address.context("nobody is in the path")?;
    let (revision, path) = (revision.clone(), path.to_owned());
    Ok(std::thread::spawn(move || {
        let answer = get(&agent(), address, &revision, &path);
        (Instant::now(), answer)
    }))
}

/// Waits until it has been served.
fn served(held: Held, since: &str) -> Result<()> {
    let start = Instant::now();
    let (at, answer) = held.join().expect("a client thread does not panic");
    let (status, body) = answer.with_context(|| format!("after {since}"))?;
    ensure!(status == 200, "after {since}: {status} {body}");
    let after = at.saturating_duration_since(start);
    println!("a request was served {after:.1?} after {since}");
    Ok(())
}
