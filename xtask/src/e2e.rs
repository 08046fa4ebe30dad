//! The scenes: the release build of the activator among third-party programs.

mod activation;
mod bad_neighbours;
mod bodies;
mod both_ways;
pub(crate) mod cluster;
mod crowd;
mod curl;
mod deb;
mod delivery;
mod dist;
mod early_response;
mod first_look;
mod go;
mod grpc;
mod h2spec;
mod handover;
mod image;
mod interop;
mod load;
mod nginx;
mod one_machine;
mod overload;
mod prometheus;
pub(crate) mod python;
mod recipes;
mod rolling;
mod slow_server;
mod status_page;
mod systemd;
mod traces;
mod units;
mod websocket;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::support::activator;

/// A scene and its name. It prints its measurements.
type Scene = (&'static str, fn() -> Result<()>);

const SCENES: &[Scene] = &[
    ("first-look", first_look::run),
    ("bodies", bodies::run),
    ("both-ways", both_ways::run),
    ("curl", curl::run),
    ("early-response", early_response::run),
    ("grpc", grpc::run),
    ("grpc-interop", interop::run),
    ("h2spec", h2spec::run),
    ("websocket", websocket::run),
    ("load", load::run),
    ("load-http2", load::run_http2),
    ("killed-load", load::run_killed),
    ("delivery", delivery::run),
    ("held-requests", activation::run),
    ("held-requests-in-order", activation::run_in_order),
    ("full-queue", activation::run_full),
    ("rolling-restart", rolling::run),
    ("crowd", crowd::run),
    ("overload", overload::run),
    ("handover", handover::run),
    ("prometheus", prometheus::run),
    ("recipes", recipes::run),
    ("traces", traces::run),
    ("units", units::run),
    ("systemd", systemd::run),
    ("one-machine-at-once", one_machine::at_once::run),
    ("one-machine-scaling", one_machine::scaling::run),
    ("one-machine-websocket", one_machine::websocket::run),
    ("one-machine-freeze", one_machine::freeze::run),
    ("one-machine-group", one_machine::group::run),
    ("one-machine-start", one_machine::start::run),
    ("one-machine-asleep", one_machine::asleep::run),
    ("one-machine-up", one_machine::up::run),
    ("status-page", status_page::run),
    ("bad-neighbours", bad_neighbours::run),
    ("image", image::run),
    ("dist", dist::run),
    ("deb", deb::run),
    ("cluster-scaling", cluster::scaling::run),
    ("cluster-side-by-side", cluster::side_by_side::run),
    ("cluster-outages", cluster::outages::run),
    ("cluster-permissions", cluster::permissions::run),
    ("cluster-sleepers", cluster::sleepers::run),
];

pub(crate) fn run(only: Option<&str>) -> Result<()> {
    activator::build()?;
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let mut passed = 0;
    for (name, scene) in SCENES.iter().filter(|(name, _)| wanted(name)) {
        eprintln!("\nscene {name}");
        let start = Instant::now();
        scene().with_context(|| format!("scene {name}"))?;
        eprintln!(
            "scene {name}: passed in {:.1} s",
            start.elapsed().as_secs_f64()
        );
        passed += 1;
    }
    ensure!(passed > 0, "no scene matches {only:?}");
    println!("{passed} passed, 0 failed");
    Ok(())
}
