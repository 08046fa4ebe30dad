//! One part of the cluster after another goes away under load and comes back: no request fails.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::activators::Kind;
use super::client::{agent, get};
use super::ingress::Ingress;
use super::load::Load;
use super::objects::Revision;
use super::{Cluster, long, with_cluster};
use crate::support::process::wait_until;

/// Clients of the load, each of whose requests takes some time.
const CLIENTS: usize = 8;
const PATH: &str = "/?sleep=20ms";
/// More than a watch or a link takes to be there again.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn run() -> Result<()> {
    with_cluster(|cluster| scene(cluster, Kind::under_test()))
}

fn scene(cluster: &mut Cluster, kind: Kind) -> Result<()> {
    let away = Duration::from_secs(if long() { 60 } else { 5 });
    cluster.run_activators(kind, 1, kind.short_drain())?;
    let mut busy = Revision::new("busy", 10);
    busy.autoscaling.push(("min-scale", "2".into()));
    // The activator stays in the path.
    busy.autoscaling
        .push(("target-burst-capacity", "-1".into()));
    cluster.api.apply(&busy.object())?;
    let sleeping = [
        "without-api",
        "without-autoscaler",
        "without-controller",
        "afterwards",
    ]
    .map(|name| Revision::new(name, 10));
    let [
        without_api,
        without_autoscaler,
        without_controller,
        afterwards,
    ] = &sleeping;
    for revision in [without_api, without_autoscaler, without_controller] {
        cluster.api.apply(&revision.object())?;
        cluster.wait_for_route(revision)?;
    }
    cluster.wait_for_route(&busy)?;
    wait_until(
        "there are not two instances",
        Duration::from_secs(60),
        || Ok((cluster.instances(&busy)? == 2).then_some(())),
    )?;
    let ingress = Ingress::of(&busy, &cluster.api, &cluster.stop);
    let load = Load::http1(&busy, CLIENTS, PATH, {
        let ingress = ingress.clone();
        move || ingress.addresses()
    });
    std::thread::sleep(SETTLE);

    println!("the API server is killed for {away:?}, and etcd compacted meanwhile");
    cluster.control_plane.api_server.kill();
    let held = hold(&ingress, without_api)?;
    std::thread::sleep(away);
    cluster.control_plane.compact()?;
    ensure!(
        !held.is_finished(),
        "a request was served without an instance"
    );
    cluster.control_plane.start_api_server_again()?;
    served(held, "the API server's return")?;
    std::thread::sleep(SETTLE);
    cluster.control_plane.compact()?;

    println!("the autoscaler is killed for {away:?}");
    cluster.knative()?.autoscaler.kill();
    let held = hold(&ingress, without_autoscaler)?;
    std::thread::sleep(away);
    ensure!(
        !held.is_finished(),
        "a request was served without an instance"
    );
    cluster.knative()?.autoscaler.start_again()?;
    served(held, "the autoscaler's return")?;

    println!("Knative's controller is killed for {away:?}");
    cluster.knative()?.controller.kill();
    served(hold(&ingress, without_controller)?, "a request without it")?;
    std::thread::sleep(away);
    cluster.knative()?.controller.start_again()?;
    // It works again when a new revision has a route.
    cluster.api.apply(&afterwards.object())?;
    cluster.wait_for_route(afterwards)?;

    println!("the activator's pod is replaced");
    let new = cluster.restart_activators(kind, 1)?.remove(0);
    wait_until(
        "the new activator is not in the path",
        Duration::from_secs(60),
        || Ok((ingress.addresses() == [new.http]).then_some(())),
    )?;
    std::thread::sleep(SETTLE);
    served(hold(&ingress, afterwards)?, "a request to the new one")?;
    let tally = load.stop()?;
    println!(
        "{} requests of the load were served, the slowest in {:.0?}; none failed",
        tally.served, tally.slowest
    );
    Ok(())
}

type Held = JoinHandle<(Instant, Result<(u16, String)>)>;

/// Sends a request to a revision without instances.
fn hold(ingress: &Ingress, revision: &Revision) -> Result<Held> {
    let address: Option<SocketAddr> = ingress.addresses().first().copied();
    let address = address.context("nobody is in the path")?;
    let revision = revision.clone();
    Ok(std::thread::spawn(move || {
        let answer = get(&agent(), address, &revision, "/");
        (Instant::now(), answer)
    }))
}

/// Waits until such a request has been served.
fn served(held: Held, since: &str) -> Result<()> {
    let start = Instant::now();
    let (at, answer) = held.join().expect("a client thread does not panic");
    let (status, body) = answer.with_context(|| format!("after {since}"))?;
    ensure!(status == 200, "after {since}: {status} {body}");
    let after = at.saturating_duration_since(start);
    println!("a request to a revision without instances was served {after:.1?} after {since}");
    Ok(())
}
