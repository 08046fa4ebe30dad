//! ConfigMaps, CAs and the certificate of the system namespace.

use std::collections::BTreeMap;

use activator_bin::testing::{Certificate, SystemObject};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fake::{FakeApi, Fault};
use crate::objects::config_map;

const MAPS: &str = "configmaps";
const SECRETS: &str = "secrets";

fn data(value: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    let pairs = value
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Some(pairs.collect())
}

fn network(data: Option<BTreeMap<String, String>>) -> SystemObject {
    let name = "config-network".to_owned();
    SystemObject::ConfigMap { name, data }
}

fn bundle(name: &str, data: Option<BTreeMap<String, String>>) -> SystemObject {
    let name = name.to_owned();
    SystemObject::TrustBundle { name, data }
}

fn map(data: Value) -> Value {
    config_map("config-network", json!({}), data)
}

#[tokio::test]
async fn a_config_map_is_followed() {
    let mut cluster = Cluster::watch(FakeApi::start().await).await;
    assert_eq!(cluster.object().await, network(None));
    cluster.api.put(
        MAPS,
        config_map("config-other", json!({}), json!({"a": "b"})),
    );
    cluster.api.put(MAPS, map(json!({"a": "b", "odd": 7})));
    assert_eq!(cluster.object().await, network(data(&[("a", "b")])));
    cluster.api.put(MAPS, map(Value::Null));
    assert_eq!(cluster.object().await, network(data(&[])));
    cluster
        .api
        .delete(MAPS, "knative-serving", "config-network");
    assert_eq!(cluster.object().await, network(None));
}

#[tokio::test]
async fn a_config_map_that_may_not_be_read_is_none_until_it_may() {
    let api = FakeApi::start().await;
    api.put(MAPS, map(json!({"a": "b"})));
    api.fails(MAPS, Fault::Status(403, &[]));
    let mut cluster = Cluster::watch(api).await;
    assert_eq!(cluster.object().await, network(None));
    cluster.api.heals();
    assert_eq!(cluster.object().await, network(data(&[("a", "b")])));
    // What is known stays.
    cluster.api.fails(MAPS, Fault::Status(403, &[]));
    let problem = || cluster.problem("configmaps config-network").is_some();
    cluster.until("forbidden", problem).await;
    assert!(cluster.objects.try_recv().is_err());
}

#[tokio::test]
async fn trust_bundles_come_and_go() {
    const LABEL: &str = "networking.knative.dev/trust-bundle";
    let bundle_of =
        |name: &str, pem: &str| config_map(name, json!({LABEL: "true"}), json!({"ca": pem}));
    let api = FakeApi::start().await;
    api.put(MAPS, bundle_of("one", "1"));
    api.put(MAPS, bundle_of("two", "2"));
    let mut cluster = Cluster::watch(api).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        found.push(cluster.object().await);
    }
    found.retain(|it| *it != network(None));
    let [one, two] =
        [("one", "1"), ("two", "2")].map(|(name, pem)| bundle(name, data(&[("ca", pem)])));
    assert_eq!(found, [one.clone(), two]);
    cluster.api.delete(MAPS, "knative-serving", "two");
    assert_eq!(cluster.object().await, bundle("two", None));
    // One that is deleted unseen.
    cluster.api.put(MAPS, bundle_of("three", "3"));
    assert_eq!(
        cluster.object().await,
        bundle("three", data(&[("ca", "3")]))
    );
    cluster.api.stop().await;
    cluster.api.delete(MAPS, "knative-serving", "three");
    cluster.api.compact();
    cluster.api.restart().await;
    let mut found = vec![cluster.object().await, cluster.object().await];
    found.retain(|it| *it != network(None));
    if found.len() == 1 {
        found.push(cluster.object().await);
    }
    assert_eq!(found, [one, bundle("three", None)]);
}

#[tokio::test]
async fn the_certificate_is_read_only_while_tls_is_on() {
    let api = FakeApi::start().await;
    let metadata = json!({"namespace": "knative-serving", "name": "routing-serving-certs"});
    let pem = json!({"tls.crt": "Y2VydA==", "tls.key": "a2V5", "ca.crt": "not Base64!"});
    api.put(SECRETS, json!({"metadata": metadata, "data": pem}));
    let mut cluster = Cluster::watch(api).await;
    assert_eq!(cluster.object().await, network(None));
    cluster.kubernetes.set_internal_tls(false);
    cluster.until_synced().await;
    assert!(cluster.api.requests(SECRETS).is_empty());
    cluster.kubernetes.set_internal_tls(true);
    let certificate = Certificate {
        tls_crt: b"cert".to_vec(),
        tls_key: b"key".to_vec(),
        ca_crt: Vec::new(),
    };
    let data = Some(certificate);
    assert_eq!(cluster.object().await, SystemObject::Secret { data });
    assert_eq!(
        cluster.api.requests(SECRETS)[0],
        "/api/v1/namespaces/knative-serving/secrets?fieldSelector=metadata.name=routing-serving-certs&resourceVersion=0"
    );
    let is_watched = || {
        cluster
            .kubernetes
            .status()
            .watches
            .iter()
            .any(|it| it.kind == SECRETS)
    };
    assert!(is_watched());
    cluster.kubernetes.set_internal_tls(false);
    cluster.until("not watched", || !is_watched()).await;
}
