//! The names of metrics up to Knative 1.18, compared with what Knative's own activator served.
//!
//! `legacy/knative-1.15.txt` is of that activator in a cluster: `/metrics` after requests for two revisions, one of them
//! without a service, a client that disconnected early included. Left out are help texts, the metrics of Go and of the API
//! client, and series of further statuses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::{MetricsBackend, RevisionKey};
use reporter_metrics::{ErrorReason, Exporter, Names, Served};

use crate::lister::{Lister, exporter_with, key, report, samples};
use crate::served::GET;

const RECORDED: &str = include_str!("legacy/knative-1.15.txt");
/// The names of that time, and the newer ones of the same figures.
pub(crate) const LEGACY: [&str; 3] = [
    "activator_request_concurrency",
    "activator_request_count",
    "activator_request_latencies",
];
const REPLACED: [&str; 2] = [
    "kn_revision_request_concurrency",
    "http_server_request_duration_seconds",
];

/// An exporter that knows the two revisions.
fn exporter(names: Names) -> (Exporter, Arc<Lister>) {
    let (exporter, lister) = exporter_with(names);
    lister.insert("default/hello-00001", "hello", "hello");
    lister.insert("default/plain-1", "", "");
    (exporter, lister)
}

/// Records a request for a revision that took as many milliseconds.
fn serve(exporter: &Exporter, revision: &RevisionKey, status: Option<u16>, milliseconds: f64) {
    let served = Served {
        status,
        revision: Some(revision),
        ..GET
    };
    let duration = Duration::from_secs_f64(milliseconds / 1_000.0);
    exporter.requests().recorder().served(served, duration);
}

fn exporter_with_traffic(names: Names) -> (Exporter, Arc<Lister>) {
    let (exporter, lister) = exporter(names);
    let (hello, plain) = (key("default/hello-00001"), key("default/plain-1"));
    let gauges = [("default/hello-00001", 0.0), ("default/plain-1", 0.0)];
    serve(&exporter, &hello, Some(200), 1.0);
    serve(&exporter, &hello, None, 1.0);
    serve(&exporter, &plain, Some(504), 1.0);
    exporter.revision_gauges().on_tick(&report(&gauges));
    (exporter, lister)
}

/// Their types and series, without values.
fn shapes(text: &str) -> BTreeSet<&str> {
    let is_legacy = |line: &&str| {
        let line = line.strip_prefix("# TYPE ").unwrap_or(line);
        LEGACY.iter().any(|name| line.starts_with(name))
    };
    text.lines().filter(is_legacy).map(without_value).collect()
}

fn without_value(line: &str) -> &str {
    match line.starts_with('#') {
        true => line,
        false => line.rsplit_once(' ').expect("a sample has a value").0,
    }
}

#[test]
fn names_labels_and_buckets_are_those_of_knative_1_15() {
    for names in [Names::Legacy, Names::Both] {
        let text = exporter_with_traffic(names).0.render([]);
        assert_eq!(shapes(&text), shapes(RECORDED), "{names:?}");
    }
}

#[test]
fn each_figure_has_only_the_names_that_are_wanted() {
    let check = |names, legacy: bool, knative: bool| {
        let text = exporter_with_traffic(names).0.render([]);
        assert_eq!(!shapes(&text).is_empty(), legacy, "{names:?}");
        for name in REPLACED {
            assert_eq!(text.contains(name), knative, "{names:?} {name}");
        }
    };
    check(Names::Knative, false, true);
    check(Names::Legacy, true, false);
    check(Names::Both, true, true);
}

#[test]
fn statuses_are_those_that_knative_counts() {
    let check = |status, error, expected: &str| {
        let (exporter, _lister) = exporter(Names::Legacy);
        let served = Served {
            status,
            error,
            revision: Some(&key("default/plain-1")),
            ..GET
        };
        exporter
            .requests()
            .recorder()
            .served(served, Duration::ZERO);
        let count = samples(&exporter, "activator_request_count{").concat();
        assert!(count.contains(expected), "{status:?} {error:?}: {count}");
    };
    let code = |code: &str, class: &str| {
        format!("response_code=\"{code}\",response_code_class=\"{class}\"")
    };
    check(Some(204), None, &code("204", "2xx"));
    check(Some(404), None, &code("404", "4xx"));
    check(Some(503), Some(ErrorReason::QueueFull), &code("503", "5xx"));
    // The client disconnected before the response, and in the middle of it; the backend broke it off.
    check(None, Some(ErrorReason::ClientGone), &code("502", "5xx"));
    check(
        Some(200),
        Some(ErrorReason::ClientGone),
        &code("500", "5xx"),
    );
    check(
        Some(302),
        Some(ErrorReason::BackendReset),
        &code("500", "5xx"),
    );
    // An upgraded connection.
    check(Some(101), None, &code("200", "2xx"));
    check(
        Some(101),
        Some(ErrorReason::ClientGone),
        &code("200", "2xx"),
    );
}

#[test]
fn latencies_are_whole_milliseconds() {
    let (exporter, _lister) = exporter(Names::Legacy);
    let plain = key("default/plain-1");
    for milliseconds in [0.9, 5.9, 100_001.0] {
        serve(&exporter, &plain, Some(200), milliseconds);
    }
    let value = |what: &str| {
        let lines = samples(&exporter, "activator_request_");
        let line = lines.iter().find(|line| line.contains(what));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.expect("a line with this text").1.to_owned()
    };
    assert_eq!(value("le=\"5\""), "2");
    assert_eq!(value("le=\"100000\""), "2");
    assert_eq!(value("le=\"+Inf\""), "3");
    assert_eq!(value("latencies_sum"), "100006");
    assert_eq!(value("request_count{"), "3");
}

#[test]
fn requests_without_a_revision_are_not_counted() {
    let (exporter, _lister) = exporter(Names::Both);
    exporter.requests().recorder().served(GET, Duration::ZERO);
    assert!(samples(&exporter, "activator_request_").is_empty());
    assert!(!samples(&exporter, "http_server_").is_empty());
}

#[test]
fn series_are_bounded_and_end_with_their_revision() {
    let (exporter, lister) = exporter(Names::Legacy);
    let plain = key("default/plain-1");
    for status in 100..1_000 {
        serve(&exporter, &plain, Some(status), 1.0);
    }
    let counts = samples(&exporter, "activator_request_count");
    assert_eq!(counts.len(), 101);
    let rest = counts.iter().find(|line| line.contains("\"_OTHER\""));
    assert!(rest.is_some(), "{counts:?}");
    lister.remove("default/plain-1");
    assert!(samples(&exporter, "activator_request_").is_empty());
}
