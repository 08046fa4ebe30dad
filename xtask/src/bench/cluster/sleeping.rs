//! What many revisions cost that sleep, and what foreign Services cost besides, which have nothing to do with Knative.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Scene;
use super::clones::{self, Template, remove_foreign};
use super::results::{Results, Rounds, Target};
use super::subject::{Kind, Stand};
use crate::command::output;
use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::control_plane::SERVER;
use crate::e2e::cluster::credentials::ADMIN;
use crate::e2e::cluster::objects::USER;
use crate::support::http::get;
use crate::support::median::median;

/// Both allocators have given back by then what they keep for a while.
const SETTLED: Duration = Duration::from_secs(12);
const FOREIGN: usize = 5_000;
/// The lists that our activator reads.
const LISTS: [&str; 2] = [
    "/apis/serving.knative.dev/v1/revisions?resourceVersion=0",
    "/apis/discovery.k8s.io/v1/endpointslices?resourceVersion=0&labelSelector=networking.internal.knative.dev%2FserviceType%20in%20%28Private%2CPublic%29",
];

/// The figures of activators that know so many revisions.
#[derive(Default)]
pub(super) struct Figures {
    resident: Rounds,
    peak: Rounds,
    until_ready: Rounds,
    cpu_until_ready: Rounds,
    cpu: Rounds,
    received: Rounds,
}

/// Measures with as many revisions as there are.
pub(super) fn run(
    scene: &Scene<'_>,
    (count, rounds): (usize, usize),
    results: &mut Results,
) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut curl_times = Vec::new();
    wait_until_served(scene.cluster)?;
    for _ in 0..rounds {
        curl_times.push(curl(scene.cluster)?.0.as_secs_f64() * 1e3);
        for kind in Kind::ALL {
            figures.add(&scene.stand, kind, count)?;
        }
    }
    let name = |what: &str| format!("{count} revisions sleep, {what}");
    let Figures {
        resident,
        peak,
        until_ready,
        cpu_until_ready,
        cpu,
        received,
    } = &figures;
    let [resident_target, cpu_target, time_target] = targets(count);
    let mut both = |what, rounds: &Rounds, unit, target| {
        results.both(&name(what), rounds.medians(), unit, target);
    };
    both("resident", resident, "MiB", resident_target);
    both("peak resident", peak, "MiB", Target::None);
    both("CPU until ready", cpu_until_ready, "ms", cpu_target);
    both("CPU until 12 s later", cpu, "ms", Target::None);
    both("time until ready", until_ready, "ms", time_target);
    both("received", received, "MB", Target::None);
    let [_, until_ready] = until_ready.medians();
    results.beside(
        &name("time until ready, beside curl that reads the same lists"),
        ("curl", median(&curl_times)),
        (until_ready, "ms"),
        Target::Ratio(1.3),
    );
    Ok(figures)
}

/// For memory, CPU time and time.
fn targets(count: usize) -> [Target; 3] {
    match count {
        1_000 => [20.0, 150.0, 300.0].map(Target::Most),
        10_000 => [Target::Most(60.0), Target::Most(1_500.0), Target::None],
        _ => [Target::None; 3],
    }
}

/// Measures the same among foreign Services; `without` is without them.
pub(super) fn run_among_others(
    scene: &Scene<'_>,
    foreign: &Template,
    without: &Figures,
    results: &mut Results,
) -> Result<()> {
    foreign.copy(1, FOREIGN)?;
    wait_until_served(scene.cluster)?;
    let mut with = Figures::default();
    for _ in 0..scene.size.rounds_of_most {
        for kind in Kind::ALL {
            with.add(&scene.stand, kind, scene.size.counts[0])?;
        }
    }
    let mut ratio = |what: &str, with: &Rounds, without: &Rounds, target| {
        let name = format!("among {FOREIGN} foreign Services, {what} to that without");
        let (with, without) = (with.medians(), without.medians());
        let ratios = [0, 1].map(|number| with[number] / without[number]);
        results.both(&name, ratios, "x", target);
    };
    ratio(
        "received",
        &with.received,
        &without.received,
        Target::Most(1.01),
    );
    ratio(
        "resident",
        &with.resident,
        &without.resident,
        Target::Most(1.02),
    );
    let (with, without) = (&with.cpu_until_ready, &without.cpu_until_ready);
    ratio("CPU until ready", with, without, Target::None);
    remove_foreign()?;
    wait_until_served(scene.cluster)
}

impl Figures {
    /// Starts an activator once, which must know so many revisions as soon as it is ready.
    fn add(&mut self, stand: &Stand, kind: Kind, count: usize) -> Result<()> {
        let before = stand.received()?;
        let subject = stand.start(kind)?;
        if kind == Kind::Ours {
            let path = format!("/v1/revisions/{USER}/{}", clones::name(count - 1));
            let answer = get(subject.admin(), &path, "")?;
            ensure!(answer.status == 200, "{path}: {}", answer.status);
        }
        self.until_ready
            .push(kind, subject.until_ready.as_secs_f64() * 1e3);
        self.cpu_until_ready
            .push(kind, subject.cpu_until_ready * 1e3);
        sleep(SETTLED);
        self.cpu.push(kind, subject.cpu()? * 1e3);
        self.received.push(kind, (stand.received()? - before) / 1e6);
        self.resident.push(kind, subject.resident_mib()?);
        self.peak.push(kind, subject.peak_mib()?);
        Ok(())
    }
}

/// Waits until the API server has heard of all that is in etcd.
fn wait_until_served(cluster: &Cluster) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut before = 0;
    loop {
        sleep(Duration::from_secs(2));
        let (_, bytes) = curl(cluster)?;
        if bytes == before {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the API server's lists still change"
        );
        before = bytes;
    }
}

/// How long curl takes to read the lists, all at once, and their bytes.
fn curl(cluster: &Cluster) -> Result<(Duration, u64)> {
    let mut curl = Command::new("curl");
    curl.args([
        "--no-progress-meter",
        "--fail",
        "--parallel",
        "--parallel-immediate",
        "--http1.1",
    ]);
    curl.arg("--noproxy")
        .arg("*")
        .arg("--cacert")
        .arg(cluster.credentials.authority());
    curl.arg("--header")
        .arg(format!("Authorization: Bearer {ADMIN}"));
    curl.args(["--max-time", "60"]);
    for list in LISTS {
        curl.arg("--output")
            .arg("/dev/null")
            .arg(format!("{SERVER}{list}"));
    }
    curl.args(["--write-out", "%{size_download}\n"]);
    let begin = Instant::now();
    let sizes = output(&mut curl)?;
    let took = begin.elapsed();
    let sizes = sizes
        .lines()
        .map(|line| line.parse::<u64>().context("a size from curl"));
    Ok((took, sizes.sum::<Result<u64>>()?))
}
