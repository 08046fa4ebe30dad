//! `activator check` of a cluster: what it prints, and its exit code.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::cluster::kubeconfig;
use crate::directory::Directory;
use crate::fake::{FakeApi, Fault};
use crate::objects::config_map;

const MAPS: &str = "configmaps";

/// A cluster that is ready.
async fn ready() -> FakeApi {
    let api = FakeApi::start().await;
    for name in ["config-network", "config-logging", "config-observability"] {
        api.put(MAPS, config_map(name, json!({}), json!({})));
    }
    let metadata = json!({"namespace": "knative-serving", "name": "activator-service"});
    api.put("services", json!({"metadata": metadata}));
    api
}

async fn run(arguments: Vec<String>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_activator"));
    command.args(arguments).env_clear();
    let running = tokio::task::spawn_blocking(move || command.output());
    running.await.unwrap().unwrap()
}

/// Expects this exit code and these lines, besides those that say that something is good.
async fn check(api: &FakeApi, code: i32, expected: &[&str]) {
    let directory = Directory::new();
    let file = kubeconfig(&directory, api, "{}", "");
    let file = file.display().to_string();
    for arguments in [
        ["check", "--kubeconfig", &file],
        ["--check", "--kubeconfig", &file],
    ] {
        let output = run(arguments.map(str::to_owned).to_vec()).await;
        let stdout = String::from_utf8(output.stdout).unwrap();
        let found: Vec<_> = stdout
            .lines()
            .filter(|line| !line.starts_with("ok: "))
            .collect();
        assert_eq!((&*found, output.status.code()), (expected, Some(code)));
        let errors = found
            .iter()
            .filter(|line| line.starts_with("error: "))
            .count();
        let s = if errors == 1 { "" } else { "s" };
        let stderr = match errors {
            0 => String::new(),
            _ => format!("activator: the cluster is not ready for it: {errors} error{s}\n"),
        };
        assert_eq!(String::from_utf8(output.stderr).unwrap(), stderr);
    }
}

fn network(data: Value) -> Value {
    config_map("config-network", json!({}), data)
}

#[tokio::test]
async fn a_cluster_with_everything_is_ready() {
    check(&ready().await, 0, &[]).await;
}

#[tokio::test]
async fn knatives_own_roles_are_enough() {
    let api = ready().await;
    api.refuses(&["list endpointslices", "watch endpointslices"]);
    check(&api, 0, &["note: endpointslices.discovery.k8s.io in all namespaces: list, watch is not allowed; Endpoints are read instead"]).await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let api = ready().await;
    api.refuses(&["watch revisions"]);
    api.delete("services", "knative-serving", "activator-service");
    api.put(
        MAPS,
        network(json!({"system-internal-tls": "enabled", "mesh-compatibility-mode": "on"})),
    );
    let tracing = json!({"tracing-protocol": "stdout"});
    api.put(MAPS, config_map("config-observability", json!({}), tracing));
    check(&api, 78, &[
        "error: revisions.serving.knative.dev in all namespaces: watch is not allowed",
        "error: config-network: mesh-compatibility-mode: expected auto or enabled or disabled, found \"on\"",
        "note: config-observability: tracing-protocol: \"stdout\" is not supported",
        "error: Secret routing-serving-certs in knative-serving, which system-internal-tls in config-network needs, is missing",
        "error: Service activator-service in knative-serving is missing: by it Knative's controller finds the activators",
    ]).await;
}

#[tokio::test]
async fn a_cluster_without_knative_is_not_ready() {
    let api = ready().await;
    api.has_no_knative();
    let error = "error: there is no Knative Serving: the API server has no revisions in serving.knative.dev/v1";
    check(&api, 78, &[error]).await;
}

#[tokio::test]
async fn an_api_server_that_is_silent_or_away_is_reported_in_time() {
    let mut api = ready().await;
    let directory = Directory::new();
    let file = kubeconfig(&directory, &api, "{}", "");
    let file = file.display().to_string();
    let arguments = || ["check", "--kubeconfig", &file].map(str::to_owned).to_vec();
    let why = "error: the API server of the cluster cannot be asked: ";
    api.fails(MAPS, Fault::Stall);
    let output = run(arguments()).await;
    assert_eq!(output.status.code(), Some(78));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, format!("{why}no complete response within 10s\n"));
    api.stop().await;
    let output = run(arguments()).await;
    assert_eq!(output.status.code(), Some(78));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with(why), "{stdout}");
}

#[tokio::test]
async fn a_cluster_of_which_it_is_not_known_how_it_is_reached_is_a_bad_configuration() {
    let why = "activator: cannot read how the API server is reached: ";
    // Tests run outside of a cluster.
    for arguments in [
        &["check", "--kubeconfig", "/nonexistent"][..],
        &["--kubeconfig", "/nonexistent"],
        &["check", "--kubernetes", "--kubernetes-pod-ip", "10.0.0.1"],
        &[
            "run",
            "--kubernetes",
            "--kubernetes-pod-ip",
            "10.0.0.1",
            "--listen-http",
            "127.0.0.1:0",
        ],
    ] {
        let output = run(arguments.iter().map(|it| (*it).to_owned()).collect()).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
    }
}
