//! What a request costs that is passed on to one of two instances behind Knative's queue-proxy.

use anyhow::{Context, Result};

use super::results::{Results, Rounds, Target};
use super::subject::Kind;
use super::{Scene, instances};
use crate::bench::load::wrk;
use crate::e2e::cluster::client::headers;
use crate::e2e::cluster::objects::{Revision, path_of};

const INSTANCES: usize = 2;
/// Connections, and the CPU time that a request may take with so many.
const LOADS: [(usize, f64); 2] = [(50, 40.0), (200, 45.0)];
/// The length of a turn.
const SECONDS: u64 = 5;

pub(super) fn run(scene: &Scene<'_>, results: &mut Results) -> Result<()> {
    let cluster = &*scene.cluster;
    let mut revision = Revision::new("busy", 0);
    for bound in ["min-scale", "max-scale"] {
        revision.autoscaling.push((bound, INSTANCES.to_string()));
    }
    // The activator stays in the path.
    revision
        .autoscaling
        .push(("target-burst-capacity", "-1".into()));
    cluster.api.apply(&revision.object())?;
    cluster.wait_for_route(&revision)?;
    instances::wait_for_ready(cluster, &revision, INSTANCES)?;
    let lines: String = headers(&revision)
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    for (connections, cpu_target) in LOADS {
        let (mut cpu, mut rate, mut resident) =
            (Rounds::default(), Rounds::default(), Rounds::default());
        for _ in 0..scene.size.rounds {
            for kind in Kind::ALL {
                let subject = scene.stand.start(kind)?;
                let url = format!("http://{}/?size=1024", subject.http());
                let load = |seconds| {
                    wrk(connections, seconds, &lines, &url)
                        .with_context(|| format!("{} activator", kind.name()))
                };
                // What is only done once is not what a request costs.
                load(2)?;
                let before = subject.cpu()?;
                let requests = load(SECONDS)?;
                cpu.push(kind, (subject.cpu()? - before) / requests * 1e6);
                rate.push(kind, requests / SECONDS as f64);
                resident.push(kind, subject.resident_mib()?);
            }
        }
        let name = |what: &str| format!("{connections} connections, {what}");
        results.both(
            &name("CPU per request"),
            cpu.medians(),
            "us",
            Target::Most(cpu_target),
        );
        results.both(
            &name("resident"),
            resident.medians(),
            "MiB",
            Target::Most(30.0),
        );
        results.both(
            &name("requests a second"),
            rate.medians(),
            "requests",
            Target::None,
        );
    }
    // Its instances would take part in what is measured next.
    cluster.api.delete(&path_of(&revision.object()))?;
    instances::wait_for_none(cluster, &[revision])
}
