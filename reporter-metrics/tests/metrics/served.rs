//! Requests that were served: how they are told apart, and how many ways there can be.

use std::time::Duration;

use reporter_metrics::{HttpVersion, Scheme, Served};

use crate::lister::{exporter, samples};

const MS: Duration = Duration::from_millis(1);

pub(crate) const GET: Served<'static> = Served {
    method: "GET",
    scheme: Scheme::Http,
    version: HttpVersion::Http11,
    status: Some(200),
};

#[test]
fn requests_are_told_apart_by_bounded_labels_only() {
    let check_labels = |served: Served<'_>, expected: &str| {
        let (exporter, _lister) = exporter();
        exporter.requests().served(served, MS);
        let expected = format!("http_server_request_duration_seconds_count{{{expected}}} 1");
        let counts = samples(&exporter, "http_server_request_duration_seconds_count");
        assert_eq!(counts, [expected]);
    };
    check_labels(
        GET,
        "http_request_method=\"GET\",url_scheme=\"http\",network_protocol_version=\"1.1\",http_response_status_code=\"200\"",
    );
    check_labels(
        Served {
            method: "get",
            scheme: Scheme::Https,
            version: HttpVersion::Http2,
            status: None,
        },
        "http_request_method=\"_OTHER\",url_scheme=\"https\",network_protocol_version=\"2\",http_response_status_code=\"\"",
    );
}

#[test]
fn a_hostile_backend_does_not_choose_the_number_of_series() {
    let (exporter, _lister) = exporter();
    let requests = exporter.requests();
    for status in 100..1_000 {
        let status = Some(status);
        requests.served(Served { status, ..GET }, MS);
    }
    requests.served(GET, MS);
    let counts = samples(&exporter, "http_server_request_duration_seconds_count");
    assert_eq!(counts.len(), 501);
    let rest = counts
        .iter()
        .find(|line| line.contains("http_request_method=\"_OTHER\""));
    assert!(rest.is_some_and(|line| line.ends_with(" 400")), "{rest:?}");
    let known = counts
        .iter()
        .find(|line| line.contains("status_code=\"200\""));
    assert!(known.is_some_and(|line| line.ends_with(" 2")), "{known:?}");
}
