//! How the API server is reached.

use std::path::PathBuf;

use activator_bin::testing::{ApiAccess, Cluster as Access};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::cluster::{Cluster, LIMITS};
use crate::fake::FakeApi;
use crate::objects::{REVISIONS, revision};
use crate::tls::Authority;

/// Waits until this is part of what is wrong with the watch of revisions.
async fn until_problem(cluster: &Cluster, part: &str) {
    let problem = || cluster.problem("revisions.serving.knative.dev");
    let is_there = || problem().unwrap_or_default().contains(part);
    cluster.until(part, is_there).await;
}

/// Restarts the API server, with another certificate.
async fn restart(cluster: &mut Cluster, certificate: TlsAcceptor) {
    cluster.api.stop().await;
    cluster.api.speaks_tls(certificate);
    cluster.api.restart().await;
}

#[tokio::test]
async fn a_token_is_read_again_when_it_is_refused() {
    let api = FakeApi::start().await;
    api.put(REVISIONS, revision("a"));
    api.requires("one");
    let cluster = Cluster::with_user(api, r#"{"tokenFile": "DIR/token"}"#, LIMITS).await;
    cluster.kubernetes.set_internal_tls(false);
    until_problem(&cluster, "token").await;
    cluster.write("token", "one");
    cluster.until_revisions("default/a=").await;
    cluster.api.requires("two");
    cluster.write("token", "two");
    // The watches that are there end; the next ones have the new token.
    cluster.api.put(REVISIONS, revision("b"));
    cluster.until_revisions("default/a= default/b=").await;
    let asked = cluster.api.requests("/revisions?watch").len();
    let again = || cluster.api.requests("/revisions?watch").len() > asked + 2;
    cluster.until("watched again", again).await;
    cluster.api.put(REVISIONS, revision("c"));
    cluster
        .until_revisions("default/a= default/b= default/c=")
        .await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_not_believed_until_there_is_another() {
    let authority = Authority::new();
    let api = FakeApi::start().await;
    api.put(REVISIONS, revision("a"));
    api.speaks_tls(authority.server_until(4000));
    let mut cluster = Cluster::trusting(api, &authority).await;
    cluster.kubernetes.set_internal_tls(false);
    cluster.until_revisions("default/a=").await;
    restart(&mut cluster, authority.server_until(2000)).await;
    until_problem(&cluster, "certificate expired").await;
    cluster.api.put(REVISIONS, revision("b"));
    assert_eq!(cluster.revisions(), "default/a=");
    restart(&mut cluster, Authority::new().server_until(4000)).await;
    until_problem(&cluster, "BadSignature").await;
    restart(&mut cluster, authority.server_until(4000)).await;
    cluster.until_revisions("default/a= default/b=").await;
}

#[tokio::test]
async fn a_file_that_does_not_say_how_is_an_error() {
    let missing = Access::Kubeconfig(PathBuf::from("/nonexistent"));
    let error = ApiAccess::try_new(missing, LIMITS).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot read how the API server is reached: "),
        "{text}"
    );
    assert!(text.contains("/nonexistent"), "{text}");
    // Tests run outside of a cluster.
    let error = ApiAccess::try_new(Access::OwnPod, LIMITS)
        .await
        .err()
        .unwrap();
    let expected =
        "cannot read how the API server is reached: this process has no service account of a pod: ";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_private_service_is_asked_for_by_name() {
    let api = FakeApi::start().await;
    let metadata = json!({"namespace": "default", "name": "a-private"});
    let ports = json!([{"name": "http", "port": 80}, {"name": "http2", "port": 81}]);
    api.put(
        "services",
        json!({"metadata": metadata, "spec": {"clusterIP": "10.96.0.7", "ports": ports}}),
    );
    let cluster = Cluster::synced(api).await;
    let services = cluster.kubernetes.private_services();
    for (http2, expected) in [(false, "10.96.0.7:80"), (true, "10.96.0.7:81")] {
        let found = services
            .address("default", "a-private", http2)
            .await
            .unwrap();
        assert_eq!(
            (found.http.to_string().as_str(), found.https),
            (expected, None)
        );
    }
    let missing = services.address("default", "b-private", false).await;
    let expected = "Service default/b-private: status 404: told to say 404";
    assert_eq!(missing.unwrap_err(), expected);
}
