//! An API server that fails: what was known stays, and on its return nothing is lost or invented.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::fake::{FakeApi, Fault};
use crate::objects::{ENDPOINTS, REVISIONS, SLICES, endpoints, revision, slice};

const AGE: &str = "activator_watch_age_seconds{kind=\"revisions\"}";
const SKIPPED: &str = "activator_skipped_objects_total{kind=\"revisions\"}";
const NAME: &str = "revisions.serving.knative.dev";

/// A cluster with the revisions `a`, which has one address, and `b`.
async fn with_two() -> Cluster {
    let api = FakeApi::start().await;
    api.put(REVISIONS, revision("a"));
    api.put(REVISIONS, revision("b"));
    api.put(SLICES, slice("a-1", "a", &["10.0.0.1"]));
    let cluster = Cluster::synced(api).await;
    cluster.until_revisions(TWO).await;
    cluster
}

const TWO: &str = "default/a=10.0.0.1:8012 default/b=";

/// What is the case after [`happen_meanwhile`].
const AFTER: &str = "default/a=10.0.0.1:8012,10.0.0.3:8012 default/c=";

/// One revision is deleted, one is new, one gets an address.
fn happen_meanwhile(api: &FakeApi) {
    api.delete(REVISIONS, "default", "b");
    api.put(REVISIONS, revision("c"));
    api.put(SLICES, slice("a-1", "a", &["10.0.0.1", "10.0.0.3"]));
}

#[tokio::test]
async fn stopped_and_started_again() {
    let mut cluster = with_two().await;
    let before = cluster.changes();
    cluster.api.stop().await;
    cluster
        .until("noticed", || cluster.problem(NAME).is_some())
        .await;
    happen_meanwhile(&cluster.api);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(
        (cluster.revisions().as_str(), cluster.changes()),
        (TWO, before)
    );
    assert!(cluster.metric(AGE) > 0.1);
    cluster.api.restart().await;
    cluster.until_revisions(AFTER).await;
    assert_eq!(cluster.changes(), before + 3);
    cluster
        .until("well", || cluster.problem(NAME).is_none())
        .await;
    // It went on where it was.
    assert_eq!(cluster.api.lists(REVISIONS).len(), 1);
}

#[tokio::test]
async fn its_history_is_compacted_while_it_is_away() {
    let mut cluster = with_two().await;
    let before = cluster.changes();
    cluster.api.stop().await;
    happen_meanwhile(&cluster.api);
    cluster.api.compact();
    cluster.api.restart().await;
    cluster.until_revisions(AFTER).await;
    assert_eq!(cluster.changes(), before + 3);
    assert_eq!(cluster.api.lists(REVISIONS).len(), 2);
}

#[tokio::test]
async fn a_watch_fails_in_the_middle() {
    for code in [410, 500] {
        let cluster = with_two().await;
        let before = cluster.changes();
        cluster.api.fails(REVISIONS, Fault::Error(code));
        let lists = || cluster.api.lists(REVISIONS).len();
        cluster.until("listed again", || lists() >= 2).await;
        cluster.api.heals();
        happen_meanwhile(&cluster.api);
        cluster.until_revisions(AFTER).await;
        assert_eq!(cluster.changes(), before + 3);
    }
}

#[tokio::test]
async fn it_is_silent_without_a_word() {
    let cluster = with_two().await;
    for resource in [REVISIONS, SLICES] {
        cluster.api.fails(resource, Fault::Stall);
    }
    sleep(Duration::from_millis(100)).await;
    happen_meanwhile(&cluster.api);
    cluster
        .until("noticed", || cluster.problem(NAME).is_some())
        .await;
    assert_eq!(cluster.revisions(), TWO);
    cluster.api.heals();
    cluster.until_revisions(AFTER).await;
}

#[tokio::test]
async fn connections_are_closed_without_a_word() {
    let cluster = with_two().await;
    let before = cluster.changes();
    cluster.api.fails(REVISIONS, Fault::Close);
    cluster
        .until("noticed", || cluster.problem(NAME).is_some())
        .await;
    happen_meanwhile(&cluster.api);
    cluster.api.heals();
    cluster.until_revisions(AFTER).await;
    assert_eq!(cluster.changes(), before + 3);
    assert_eq!(cluster.api.lists(REVISIONS).len(), 1);
}

#[tokio::test]
async fn it_is_overloaded() {
    for (code, headers) in [(503, &[] as &[_]), (429, &[("retry-after", "1")])] {
        let cluster = with_two().await;
        cluster.api.fails(REVISIONS, Fault::Status(code, headers));
        let problem = || cluster.problem(NAME).unwrap_or_default();
        let expected = format!("status {code}: told to say {code}");
        cluster.until("noticed", || problem() == expected).await;
        happen_meanwhile(&cluster.api);
        assert!(cluster.revisions().contains("default/b="));
        cluster.api.heals();
        cluster.until_revisions(AFTER).await;
    }
}

#[tokio::test]
async fn something_is_forbidden_or_missing() {
    for (code, advice) in [
        (
            403,
            "; the role needs get, list and watch of revisions.serving.knative.dev",
        ),
        (
            404,
            "; the cluster has no revisions.serving.knative.dev: is Knative Serving installed?",
        ),
    ] {
        let api = FakeApi::start().await;
        api.put(REVISIONS, revision("a"));
        api.fails(REVISIONS, Fault::Status(code, &[]));
        let cluster = Cluster::watch(api).await;
        cluster.kubernetes.set_internal_tls(false);
        let problem = || cluster.problem(NAME).unwrap_or_default();
        let expected = format!("status {code}: told to say {code}{advice}");
        cluster.until("told", || problem() == expected).await;
        assert!(!cluster.kubernetes.status().synced);
        cluster.api.heals();
        cluster.until_revisions("default/a=").await;
    }
}

#[tokio::test]
async fn without_permission_for_slices_the_old_form_is_used_until_it_is_granted() {
    let api = FakeApi::start().await;
    api.put(REVISIONS, revision("a"));
    api.put(ENDPOINTS, endpoints("a", "a", &["10.0.0.1"]));
    api.put(SLICES, slice("a-1", "a", &["10.0.0.1", "10.0.0.2"]));
    api.fails(SLICES, Fault::Status(403, &[]));
    let cluster = Cluster::synced(api).await;
    cluster.until_revisions("default/a=10.0.0.1:8012").await;
    assert_eq!(cluster.kubernetes.status().addresses, "endpoints");
    cluster
        .api
        .put(ENDPOINTS, endpoints("a", "a", &["10.0.0.1", "10.0.0.3"]));
    cluster
        .until_revisions("default/a=10.0.0.1:8012,10.0.0.3:8012")
        .await;
    cluster.api.heals();
    cluster
        .until_revisions("default/a=10.0.0.1:8012,10.0.0.2:8012")
        .await;
    assert_eq!(cluster.kubernetes.status().addresses, "endpointslices");
    // And when it is taken away again.
    cluster.api.fails(SLICES, Fault::Status(403, &[]));
    cluster
        .until_revisions("default/a=10.0.0.1:8012,10.0.0.3:8012")
        .await;
}

#[tokio::test]
async fn a_line_that_is_no_event_has_everything_listed_again() {
    let cluster = with_two().await;
    let before = cluster.changes();
    cluster
        .api
        .fails(REVISIONS, Fault::Line("{\"type\":".to_owned()));
    happen_meanwhile(&cluster.api);
    cluster.until_revisions(AFTER).await;
    cluster
        .until("listed", || cluster.api.lists(REVISIONS).len() >= 2)
        .await;
    assert_eq!(cluster.changes(), before + 3);
}

#[tokio::test]
async fn an_event_that_is_no_object_or_too_large_is_skipped_alone() {
    let cluster = with_two().await;
    let large = "x".repeat(100_000);
    for (skipped, line) in [
        (1.0, json!({"type": "ADDED", "object": "what?"}).to_string()),
        (
            2.0,
            json!({"type": "ADDED", "object": {"note": large}}).to_string(),
        ),
        (3.0, json!({"type": "NEW", "object": {}}).to_string()),
    ] {
        cluster.api.fails(REVISIONS, Fault::Line(line));
        cluster
            .until("skipped", || cluster.metric(SKIPPED) == skipped)
            .await;
    }
    happen_meanwhile(&cluster.api);
    cluster.until_revisions(AFTER).await;
    assert_eq!(cluster.api.lists(REVISIONS).len(), 1);
}

#[tokio::test]
async fn a_listed_object_that_is_none_or_too_large_is_skipped_alone() {
    let api = FakeApi::start().await;
    let mut large = revision("a");
    large["metadata"]["annotations"] = json!({"note": "x".repeat(100_000)});
    api.put(REVISIONS, large);
    api.put(REVISIONS, revision("b"));
    let mut odd = revision("c");
    odd["spec"] = json!("nothing");
    api.put(REVISIONS, odd);
    let cluster = Cluster::synced(api).await;
    cluster
        .until("b", || cluster.revisions().contains("default/b="))
        .await;
    assert!(!cluster.revisions().contains("default/a="));
    assert_eq!(cluster.metric(SKIPPED), 1.0);
    assert_eq!(cluster.metric("activator_bad_objects"), 1.0);
}

#[tokio::test]
async fn a_list_without_end_and_one_that_is_too_slow_are_given_up() {
    for (fault, expected) in [
        (Fault::Endless, "the list does not end: 20 pages were read"),
        (Fault::Slow, "no complete response within 1s"),
    ] {
        let api = FakeApi::start().await;
        api.put(REVISIONS, revision("a"));
        api.fails(REVISIONS, fault);
        let cluster = Cluster::watch(api).await;
        cluster.kubernetes.set_internal_tls(false);
        let problem = || cluster.problem(NAME).unwrap_or_default();
        cluster.until("given up", || problem() == expected).await;
        cluster.api.heals();
        cluster.until_revisions("default/a=").await;
    }
}

#[tokio::test]
async fn a_version_that_is_not_taken_any_more_is_not_asked_for_without_end() {
    let cluster = with_two().await;
    cluster.api.fails(REVISIONS, Fault::Status(504, &[]));
    let lists = || cluster.api.lists(REVISIONS).len();
    cluster.until("listed again", || lists() >= 2).await;
    cluster.api.heals();
    happen_meanwhile(&cluster.api);
    cluster.until_revisions(AFTER).await;
}
