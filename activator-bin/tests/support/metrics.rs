//! What `/metrics` says.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use activator_bin::testing::Activator;

use super::activator::PATIENCE;
use super::http1::Client;

/// The text of `/metrics`.
pub(crate) async fn metrics(activator: &Activator) -> String {
    metrics_at(activator.admin_addr()).await
}

/// The text of `/metrics` of the activator with this admin port.
pub(crate) async fn metrics_at(admin: SocketAddr) -> String {
    let mut client = Client::connect(admin).await;
    client
        .ask("GET /metrics HTTP/1.1\r\nHost: x\r\n")
        .await
        .body
}

/// Waits for a line in `/metrics`.
pub(crate) async fn until_line(activator: &Activator, line: &str) {
    let begin = Instant::now();
    loop {
        let text = metrics(activator).await;
        if text.lines().any(|it| it == line) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{line:?} in {text}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until `count` requests of `default/hello` are `queued` or `active`.
pub(crate) async fn until_metric(activator: &Activator, state: &str, count: usize) {
    let labels = r#"{k8s_namespace_name="default",kn_revision_name="hello"}"#;
    until_line(
        activator,
        &format!("kn_revision_request_{state}{labels} {count}"),
    )
    .await;
}

/// Waits until `count` requests have failed for this reason; none has for another.
pub(crate) async fn until_counted(activator: &Activator, reason: &str, count: usize) {
    let line =
        |reason: &str, count| format!(r#"activator_errors_total{{reason="{reason}"}} {count}"#);
    until_line(activator, &line(reason, count)).await;
    let text = metrics(activator).await;
    assert_eq!(errors(&text), [line(reason, count)]);
}

/// The lines of `activator_errors_total` that are not 0.
pub(crate) fn errors(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter(|it| it.starts_with("activator_errors_total{"));
    let counted = lines.filter(|it| !it.ends_with(" 0"));
    counted.map(str::to_owned).collect()
}

/// Labels and counts of the duration histogram, sorted: the text has series in no particular order.
fn ended(text: &str) -> Vec<String> {
    let name = "http_server_request_duration_seconds_count{";
    let counts = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut counts: Vec<_> = counts.map(str::to_owned).collect();
    counts.sort_unstable();
    counts
}

/// One of these series.
pub(crate) fn series(
    method: &str,
    status: &str,
    error: &str,
    revision: bool,
    count: usize,
) -> String {
    let revision = match revision {
        true => ["default", "hello", "hello", "hello"],
        false => [""; 4],
    };
    let [namespace, service, configuration, name] = revision;
    format!(
        r#"http_request_method="{method}",url_scheme="http",network_protocol_version="1.1",http_response_status_code="{status}",error_type="{error}",k8s_namespace_name="{namespace}",kn_service_name="{service}",kn_configuration_name="{configuration}",kn_revision_name="{name}"}} {count}"#
    )
}

/// Waits until the duration histogram has exactly these series.
pub(crate) async fn until_measured(admin: SocketAddr, expected: &[String]) {
    let begin = Instant::now();
    loop {
        let found = ended(&metrics_at(admin).await);
        if found == expected {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
