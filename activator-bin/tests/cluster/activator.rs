//! An activator that follows a cluster.

use std::net::SocketAddr;

use activator_bin::testing::{Activator, ApiAccess, Cluster, Options, Sources, cluster_tls};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cluster::{LIMITS, PATIENCE, kubeconfig};
use crate::directory::Directory;
use crate::fake::{FakeApi, Fault};
use crate::http::{get, instance};
use crate::objects::{REVISIONS, SLICES, config_map, revision, slice};

const MAPS: &str = "configmaps";
const HELLO: &str = "Host: hello.default.svc.cluster.local\r\n";

/// An activator that follows the cluster of `api`, with this configuration file.
async fn start(api: &FakeApi, file: &str) -> Activator {
    let directory = Directory::new();
    let cluster = Cluster::Kubeconfig(kubeconfig(&directory, api, "{}", ""));
    let access = ApiAccess::try_new(cluster.clone(), LIMITS).await.unwrap();
    // It may be read again at any time.
    std::mem::forget(directory);
    let ports = [
        "listen.http",
        "listen.http2",
        "listen.https",
        "listen.admin",
    ];
    let sources = Sources {
        cluster: Some(cluster),
        flags: ports.map(|port| (port, "127.0.0.1:0".to_owned())).to_vec(),
        ..Sources::default()
    };
    let file = format!("sink = []\ncluster_domain = 'cluster.local'\n{file}");
    let config = sources
        .check(Some(("tests.toml", file.as_bytes())))
        .unwrap();
    let options = Options {
        cluster: Some(access),
        cluster_tls: Some(cluster_tls(&config).unwrap().into()),
        ..Options::default()
    };
    Activator::start(config, options).unwrap()
}

/// A revision with an instance at this address.
fn put_hello(api: &FakeApi, address: SocketAddr) {
    api.put(REVISIONS, revision("hello"));
    let mut slice = slice("hello-x", "hello", &["127.0.0.1"]);
    slice["ports"][0]["port"] = address.port().into();
    api.put(SLICES, slice);
}

/// The state of the cluster, at the admin port.
async fn status(admin: SocketAddr) -> Value {
    let response = get(admin, "/v1/cluster", "Host: x\r\n").await;
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

pub(crate) async fn until_status(admin: SocketAddr, is_so: impl Fn(&Value) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = status(admin).await;
        if is_so(&status) {
            return;
        }
        assert!(Instant::now() < end, "{status}");
        sleep(std::time::Duration::from_millis(2)).await;
    }
}

async fn is_ready(activator: &Activator) -> bool {
    let response = get(activator.admin_addr(), "/readyz", "Host: x\r\n").await;
    response.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn the_revisions_of_a_cluster_are_served() {
    let api = FakeApi::start().await;
    put_hello(&api, instance().await);
    let activator = start(&api, "").await;
    let response = get(activator.http_addr(), "/", HELLO).await;
    assert!(response.ends_with("\r\n\r\nok"), "{response}");
    assert!(is_ready(&activator).await);
    let unknown = get(activator.http_addr(), "/", "Host: x\r\n").await;
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    let status = status(activator.admin_addr()).await;
    assert_eq!(status["synced"], true);
    assert_eq!(status["addresses"], "endpointslices");
    assert_eq!(status["awaited_requests"], 0);
    assert_eq!(status["problems"], json!([]));
    api.delete(REVISIONS, "default", "hello");
    until_status(activator.admin_addr(), |_| {
        activator
            .revisions()
            .config(&"default/hello".parse().unwrap())
            .is_none()
    })
    .await;
    let gone = get(activator.http_addr(), "/", HELLO).await;
    assert!(gone.starts_with("HTTP/1.1 404"), "{gone}");
}

#[tokio::test]
async fn an_activator_starts_without_an_api_server_and_holds_requests_until_it_is_there() {
    let mut api = FakeApi::start().await;
    put_hello(&api, instance().await);
    api.stop().await;
    let activator = start(&api, "").await;
    let address = activator.http_addr();
    let held = tokio::spawn(async move { get(address, "/", HELLO).await });
    until_status(activator.admin_addr(), |status| {
        status["awaited_requests"] == 1
    })
    .await;
    assert!(!is_ready(&activator).await);
    let livez = get(activator.admin_addr(), "/livez", "Host: x\r\n").await;
    assert!(livez.starts_with("HTTP/1.1 200"), "{livez}");
    assert_eq!(status(activator.admin_addr()).await["synced"], false);
    api.restart().await;
    let response = held.await.unwrap();
    assert!(response.ends_with("\r\n\r\nok"), "{response}");
    assert!(is_ready(&activator).await);
}

#[tokio::test]
async fn requests_are_served_while_the_api_server_is_away_and_as_it_says_on_its_return() {
    for stalls in [false, true] {
        let mut api = FakeApi::start().await;
        put_hello(&api, instance().await);
        let activator = start(&api, "").await;
        let ask = async || get(activator.http_addr(), "/", HELLO).await;
        assert!(ask().await.ends_with("\r\n\r\nok"));
        if stalls {
            api.fails(REVISIONS, Fault::Stall);
            api.fails(SLICES, Fault::Stall);
        } else {
            api.stop().await;
        }
        api.delete(REVISIONS, "default", "hello");
        until_status(activator.admin_addr(), |status| {
            !status["watches"][0]["problem"].is_null()
        })
        .await;
        assert!(ask().await.ends_with("\r\n\r\nok"));
        assert!(is_ready(&activator).await);
        if stalls {
            api.heals();
        } else {
            api.restart().await;
        }
        until_status(activator.admin_addr(), |_| {
            let key = "default/hello".parse().unwrap();
            activator.revisions().config(&key).is_none()
        })
        .await;
        assert!(ask().await.starts_with("HTTP/1.1 404"));
    }
}

#[tokio::test]
async fn settings_of_the_cluster_act_at_once_and_a_bad_one_is_named() {
    let api = FakeApi::start().await;
    let network = |data: Value| config_map("config-network", json!({}), data);
    api.put(
        MAPS,
        network(json!({"mesh-compatibility-mode": "disabled"})),
    );
    let activator = start(&api, "").await;
    let mode = |expected: &'static str| {
        move |status: &Value| status["settings"]["mesh-compatibility-mode"] == expected
    };
    until_status(activator.admin_addr(), mode("disabled")).await;
    api.put(
        MAPS,
        network(json!({"mesh-compatibility-mode": "off", "system-internal-tls": "enabled"})),
    );
    let wrong = "config-network: mesh-compatibility-mode: expected auto or enabled or disabled, found \"off\"";
    until_status(activator.admin_addr(), |status| {
        status["problems"] == json!([wrong])
            && status["settings"]["system-internal-tls"] == "enabled"
    })
    .await;
    assert!(mode("disabled")(&status(activator.admin_addr()).await));
    // The certificate is read only now.
    until_status(activator.admin_addr(), |_| {
        !api.requests("/secrets").is_empty()
    })
    .await;
    api.delete(MAPS, "knative-serving", "config-network");
    until_status(activator.admin_addr(), mode("auto")).await;
    assert_eq!(status(activator.admin_addr()).await["problems"], json!([]));
}

#[tokio::test]
async fn what_the_file_sets_is_not_set_by_the_cluster() {
    let api = FakeApi::start().await;
    let data = json!({"logging.enable-request-log": "true"});
    api.put(MAPS, config_map("config-observability", json!({}), data));
    api.put(
        MAPS,
        config_map(
            "config-logging",
            json!({}),
            json!({"loglevel.activator": "debug"}),
        ),
    );
    let activator = start(&api, "[access_log]\nformat = 'off'").await;
    until_status(activator.admin_addr(), |status| {
        status["settings"]["mesh-compatibility-mode"] == "auto"
    })
    .await;
    let has = |status: &Value| !status["settings"]["logging.enable-request-log"].is_null();
    assert!(!has(&status(activator.admin_addr()).await));
    let activator = start(&api, "").await;
    until_status(activator.admin_addr(), has).await;
    until_status(activator.admin_addr(), |status| {
        status["settings"]["loglevel.activator"] == "debug"
    })
    .await;
}

#[tokio::test]
async fn without_a_cluster_there_is_no_state_of_one() {
    let sources = Sources {
        flags: ["listen.http", "listen.http2", "listen.admin"]
            .map(|port| (port, "127.0.0.1:0".to_owned()))
            .to_vec(),
        ..Sources::default()
    };
    let config = sources.check(Some(("tests.toml", b""))).unwrap();
    let activator = Activator::start(config, Options::default()).unwrap();
    let response = get(activator.admin_addr(), "/v1/cluster", "Host: x\r\n").await;
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
}
