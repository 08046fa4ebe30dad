//! `activator version`: which program this is, for people and for scripts.

use serde::Serialize;

use super::Exit;
use super::output::print;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Which program this is.
#[derive(Serialize)]
struct Version {
    version: &'static str,
    /// What was built, if whoever built it said so.
    commit: Option<&'static str>,
    target: &'static str,
    features: Vec<&'static str>,
    rustc: &'static str,
    /// The version of Knative Serving whose activator speaks the same protocol.
    knative_serving: &'static str,
}

const THIS: Version = Version {
    version: env!("CARGO_PKG_VERSION"),
    // Asking git instead would make builds depend on what lies around the source.
    commit: option_env!("ACTIVATOR_BUILD_COMMIT"),
    target: env!("ACTIVATOR_BUILD_TARGET"),
    features: Vec::new(),
    rustc: env!("ACTIVATOR_BUILD_RUSTC"),
    knative_serving: "1.15",
};

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let features = env!("ACTIVATOR_BUILD_FEATURES").split(',');
    let this = Version {
        commit: THIS.commit.filter(|commit| !commit.is_empty()),
        features: features.filter(|feature| !feature.is_empty()).collect(),
        ..THIS
    };
    if arguments.json {
        let json = serde_json::to_string(&this).expect("texts and lists of them");
        return print(&format!("{json}\n"));
    }
    let features = match this.features.as_slice() {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    print(&format!(
        "activator {}\ncommit: {}\ntarget: {}\nfeatures: {features}\nrustc: {}\nKnative Serving: {}\n",
        this.version,
        this.commit.unwrap_or("unknown"),
        this.target,
        this.rustc.trim_start_matches("rustc "),
        this.knative_serving,
    ))
}
