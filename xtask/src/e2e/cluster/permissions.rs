//! Ours in the place of Knative's: first with nothing but another image, then as it is installed, and back. What
//! `activator check --kubernetes` says before each, and about a cluster without Knative.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::activators::{Activator, Kind};
use super::client::{Protocol, ask, check};
use super::objects::{Revision, SYSTEM, text};
use super::part::log_path;
use super::{Cluster, Extent, with_cluster};
use crate::support::activator::program;
use crate::support::process::wait_until;

/// What is said of a role that has no rule for EndpointSlices.
const FALLBACK: &str = "Endpoints are read instead";
const SLICES: &str = "endpointslices.discovery.k8s.io";
/// The exit code for a cluster in which it would not work.
const BAD_CONFIGURATION: i32 = 78;

pub(crate) fn run() -> Result<()> {
    with_cluster(Extent::Kubernetes, without_knative)?;
    with_cluster(Extent::Knative, there_and_back)
}

fn without_knative(cluster: &mut Cluster) -> Result<()> {
    let (code, report) = run_check(&cluster.credentials.kubeconfig())?;
    ensure!(
        code == BAD_CONFIGURATION,
        "check exits with {code}: {report}"
    );
    ensure!(report.contains("there is no Knative Serving"), "{report}");
    println!("without Knative, check exits with {code}: {report}");
    Ok(())
}

fn there_and_back(cluster: &mut Cluster) -> Result<()> {
    cluster.install(Kind::Knative)?;
    cluster.wait_for_activators(Kind::Knative, 1)?;
    let revisions = ["stock", "trial", "installed", "back"].map(|name| Revision::new(name, 10));
    for revision in &revisions {
        cluster.api.apply(&revision.object())?;
    }
    for revision in &revisions {
        cluster.wait_for_route(revision)?;
    }
    let [stock, trial, installed, back] = &revisions;
    serve(cluster, Kind::Knative, stock)?;

    let report = check_as_activator(cluster)?;
    ensure!(
        report.contains(FALLBACK) && report.contains(SLICES),
        "{report}"
    );
    println!("with the stock roles, check says:\n{report}");
    cluster.set_image()?;
    let activator = serve(cluster, Kind::Ours, trial)?;
    let told = told(&activator)?;
    ensure!(
        told.len() == 1,
        "it is not said once that {FALLBACK}: {told:?}"
    );
    println!(
        "with the stock manifest and roles, its log says: {}",
        told[0]
    );

    cluster.install(Kind::Ours)?;
    let report = check_as_activator(cluster)?;
    ensure!(
        report.contains(SLICES) && !report.contains(FALLBACK),
        "{report}"
    );
    println!("with its own roles, check says:\n{report}");
    // The Deployment has changed as well, so there is another pod.
    let before = activator;
    wait_until("the trial is not replaced", Duration::from_secs(60), || {
        let now = cluster.activators(Kind::Ours)?;
        Ok(now.iter().all(|now| now.name != before.name).then_some(()))
    })?;
    let activator = serve(cluster, Kind::Ours, installed)?;
    let told = self::told(&activator)?;
    ensure!(told.is_empty(), "it does not read EndpointSlices: {told:?}");

    cluster.install(Kind::Knative)?;
    wait_until("ours is not replaced", Duration::from_secs(60), || {
        Ok(cluster.activators(Kind::Ours)?.is_empty().then_some(()))
    })?;
    serve(cluster, Kind::Knative, back)?;
    println!("and back: Knative's activator serves again");
    Ok(())
}

/// Waits for the activator and sends it a request to a revision without instances.
fn serve(cluster: &Cluster, kind: Kind, revision: &Revision) -> Result<Activator> {
    let activator = cluster.wait_for_activators(kind, 1)?.remove(0);
    let seen = ask(activator.http, revision, Protocol::Http1)
        .with_context(|| format!("{} through {}", revision.name, activator.name))?;
    check(&seen, revision, Protocol::Http1)?;
    println!(
        "{} has served a request to a revision without instances",
        activator.name
    );
    Ok(activator)
}

/// What the check says with the rights of the activator's account; it must find that the cluster will do.
fn check_as_activator(cluster: &Cluster) -> Result<String> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/serviceaccounts/activator/token");
    let request = serde_json::json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 600},
    });
    let answer = cluster.api.create(&path, &request)?;
    let kubeconfig = super::programs::directory().join("run/activator.kubeconfig");
    let token = text(&answer, "/status/token");
    cluster.credentials.write_kubeconfig(&kubeconfig, token)?;
    // A role takes a moment to act.
    std::thread::sleep(Duration::from_secs(1));
    let (code, report) = run_check(&kubeconfig)?;
    ensure!(code == 0, "check exits with {code}:\n{report}");
    Ok(report)
}

/// The exit code of `activator check --kubernetes`, and what it prints.
fn run_check(kubeconfig: &Path) -> Result<(i32, String)> {
    let output = Command::new(program())
        .args(["check", "--kubernetes", "--kubeconfig"])
        .arg(kubeconfig)
        .env("SYSTEM_NAMESPACE", SYSTEM)
        .output()
        .context("cannot start the activator")?;
    let code = output.status.code().context("check was killed")?;
    let mut report = String::from_utf8_lossy(&output.stdout).into_owned();
    report += &String::from_utf8_lossy(&output.stderr);
    Ok((code, report.trim().to_owned()))
}

/// The lines of its log which say that it reads Endpoints.
fn told(activator: &Activator) -> Result<Vec<String>> {
    let log = std::fs::read_to_string(log_path(&format!("pod-{}-activator", activator.name)))?;
    let lines = log.lines().filter(|line| line.contains("using Endpoints"));
    Ok(lines.map(str::to_owned).collect())
}
