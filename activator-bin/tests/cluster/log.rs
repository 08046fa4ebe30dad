//! The log of the program while the cluster changes its level.

use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::activator::until_status;
use crate::cluster::kubeconfig;
use crate::directory::Directory;
use crate::fake::FakeApi;
use crate::objects::config_map;
use crate::program::{Program, activator, http_address};

const MAPS: &str = "configmaps";

fn logging(level: &str) -> Value {
    config_map(
        "config-logging",
        json!({}),
        json!({"loglevel.activator": level}),
    )
}

fn network(mode: &str) -> Value {
    let data = json!({"mesh-compatibility-mode": mode});
    config_map("config-network", json!({}), data)
}

/// The program, which follows the cluster of `api`, with this admin port.
fn start(api: &FakeApi, directory: &Directory, admin: SocketAddr) -> Program {
    let file = kubeconfig(directory, api, "{}", "");
    let mut command = activator(admin);
    command
        .args(["--listen-https", "off", "--log-format", "text"])
        .arg("--kubeconfig")
        .arg(file);
    Program::start(&mut command)
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A connection that ends in the middle of a request.
async fn break_off(address: SocketAddr) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HT").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_log_follows_the_cluster() {
    let api = FakeApi::start().await;
    let directory = Directory::new();
    let admin = free_port();
    let program = start(&api, &directory, admin);
    let serving = program.logs_at_last("serving the revisions of the cluster on http://");
    let address = http_address(&serving);
    until_status(admin, |status| status["synced"] == true).await;
    break_off(address).await;
    api.put(MAPS, logging("debug"));
    let changed = |to: &str| program.logs_at_last(&format!("by=\"the cluster\" from={to}"));
    let debug = "info,activator_bin=debug,reporter=debug";
    changed(&format!("info to={debug}"));
    break_off(address).await;
    program.logs_at_last("connection ended early");
    api.put(MAPS, logging("error"));
    changed(&format!("{debug} to=error"));
    // This would be a warning.
    api.put(MAPS, network("x"));
    until_status(admin, |status| status["problems"] != json!([])).await;
    api.put(MAPS, logging("info"));
    program.logs("from=error to=info");
    api.put(MAPS, network("y"));
    let wrong = "config-network: mesh-compatibility-mode: expected auto or enabled or disabled, found \"y\"; keeping the last good value";
    program.logs(wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_is_one_line_and_so_is_its_return() {
    let mut api = FakeApi::start().await;
    let directory = Directory::new();
    let admin = free_port();
    let program = start(&api, &directory, admin);
    program.logs_at_last("serving the revisions of the cluster on http://");
    until_status(admin, |status| status["synced"] == true).await;
    api.stop().await;
    let away = "the API server is away; serving goes on with what is known of the cluster";
    program.logs_at_last(away);
    let watches = |status: &Value| status["watches"].as_array().unwrap().clone();
    let all_fail = |status: &Value| watches(status).iter().all(|it| !it["problem"].is_null());
    until_status(admin, all_fail).await;
    api.restart().await;
    program.logs("the API server responds again");
    let all_work = |status: &Value| watches(status).iter().all(|it| it["problem"].is_null());
    until_status(admin, all_work).await;
    assert_eq!(program.log(), [] as [&str; 0]);
}
