//! What is asked for, and what becomes of objects that come in any order.

use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::fake::{FakeApi, Fault};
use crate::objects::{REVISIONS, SLICES, revision, slice};

#[tokio::test]
async fn everything_is_listed_before_it_is_reported() {
    let api = FakeApi::start().await;
    let mut expected = Vec::new();
    for n in 1_000..2_000 {
        api.put(REVISIONS, revision(&format!("r{n}")));
        expected.push(format!("default/r{n}="));
    }
    api.put(SLICES, slice("a", "r1000", &["10.0.0.1"]));
    expected[0] += "10.0.0.1:8012";
    let cluster = Cluster::watch(api).await;
    // It waits until it is known whether instances are reached over TLS.
    let watches = || cluster.api.requests("watch=true&").len() >= 4;
    cluster.until("watches", watches).await;
    let synced = *cluster.kubernetes.synced().borrow();
    assert_eq!((cluster.revisions().as_str(), synced), ("", false));
    cluster.kubernetes.set_internal_tls(false);
    cluster.until_synced().await;
    assert_eq!(cluster.revisions(), expected.join(" "));
    let path = "/apis/serving.knative.dev/v1/revisions?resourceVersion=0";
    assert_eq!(cluster.api.lists(REVISIONS), [path]);
}

#[tokio::test]
async fn what_is_not_in_memory_is_read_page_by_page() {
    let api = FakeApi::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        api.put(REVISIONS, revision(name));
    }
    api.fails(REVISIONS, Fault::NotInMemory);
    let cluster = Cluster::synced(api).await;
    let all = "default/a= default/b= default/c= default/d= default/e=";
    assert_eq!(cluster.revisions(), all);
    let lists = cluster.api.lists(REVISIONS);
    let page = "/apis/serving.knative.dev/v1/revisions?limit=2";
    assert_eq!((lists.len(), lists[1].as_str()), (4, page));
    assert!(lists[2].starts_with(&format!("{page}&continue=")));
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let cluster = Cluster::synced(FakeApi::start().await).await;
    let begin = |part: &'static str| move |it: &String| it.starts_with(part);
    let asked = |part| cluster.api.requests("").iter().any(begin(part));
    let slices = "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=networking.internal.knative.dev/serviceType in (Private,Public)&resourceVersion=0";
    let maps = "/api/v1/namespaces/knative-serving/configmaps?";
    let named = format!("{maps}fieldSelector=metadata.name=config-network&resourceVersion=0");
    let bundles =
        format!("{maps}labelSelector=networking.knative.dev/trust-bundle&resourceVersion=0");
    let listed = |part: &str| cluster.api.requests(part).len() == 1;
    cluster
        .until("lists", || {
            asked(slices) && listed(&named) && listed(&bundles)
        })
        .await;
    assert!(cluster.api.requests("/secrets").is_empty());
    assert!(cluster.api.requests("/services").is_empty());
    assert!(cluster.api.requests("/endpoints?").is_empty());
}

#[tokio::test]
async fn changes_arrive_and_a_watch_goes_on_where_it_was() {
    let cluster = Cluster::synced(FakeApi::start().await).await;
    let api = &cluster.api;
    // Slices before their revision.
    api.put(SLICES, slice("a-1", "a", &["10.0.0.1"]));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(cluster.revisions(), "");
    api.put(REVISIONS, revision("a"));
    cluster.until_revisions("default/a=10.0.0.1:8012").await;
    // The same address in two slices, for a moment.
    api.put(SLICES, slice("a-2", "a", &["10.0.0.1", "10.0.0.2"]));
    cluster
        .until_revisions("default/a=10.0.0.1:8012,10.0.0.2:8012")
        .await;
    api.delete(SLICES, "default", "a-1");
    api.put(SLICES, slice("a-2", "a", &["10.0.0.2"]));
    cluster.until_revisions("default/a=10.0.0.2:8012").await;
    // Watches end after a second: the next ones go on from the version of the last event or bookmark.
    let last = api.put(REVISIONS, revision("b"));
    cluster
        .until_revisions("default/a=10.0.0.2:8012 default/b=")
        .await;
    let resumed = format!("resourceVersion={last}");
    cluster
        .until("resumed", || api.requests(&resumed).len() >= 4)
        .await;
    api.delete(REVISIONS, "default", "a");
    cluster.until_revisions("default/b=").await;
    assert_eq!(api.lists(REVISIONS).len(), 1);
}

#[tokio::test]
async fn nothing_is_reported_that_has_not_changed() {
    let api = FakeApi::start().await;
    api.put(REVISIONS, revision("a"));
    api.put(SLICES, slice("a-1", "a", &["10.0.0.1"]));
    let cluster = Cluster::synced(api).await;
    let before = cluster.changes();
    let mut noted = slice("a-1", "a", &["10.0.0.1"]);
    noted["metadata"]["annotations"] =
        serde_json::json!({"endpoints.kubernetes.io/last-change-trigger-time": "x"});
    cluster.api.put(SLICES, noted);
    cluster.api.put(REVISIONS, revision("a"));
    cluster.api.put(REVISIONS, revision("b"));
    cluster
        .until_revisions("default/a=10.0.0.1:8012 default/b=")
        .await;
    assert_eq!(cluster.changes(), before + 1);
}
