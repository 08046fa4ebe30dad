//! Requests that were served: their labels, and the bound on series.

use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use reporter_core::{MetricsBackend, Revision, RevisionKey, RevisionLister};
use reporter_metrics::{ErrorReason, Exporter, HttpVersion, Scheme, Served};

use crate::lister::{exporter, key, report, samples};

const MS: Duration = Duration::from_millis(1);

pub(crate) const GET: Served<'static> = Served {
    method: "GET",
    scheme: Scheme::Http,
    version: HttpVersion::Http11,
    status: Some(200),
    error: None,
    revision: None,
};

const NOBODYS: &str =
    "k8s_namespace_name=\"\",kn_service_name=\"\",kn_configuration_name=\"\",kn_revision_name=\"\"";

fn counts(exporter: &Exporter) -> Vec<String> {
    samples(exporter, "http_server_request_duration_seconds_count")
}

#[test]
fn requests_are_distinguished_by_bounded_labels_only() {
    let check_labels = |served: Served<'_>, expected: &str| {
        let (exporter, _lister) = exporter();
        exporter.requests().recorder().served(served, MS);
        let expected =
            format!("http_server_request_duration_seconds_count{{{expected},{NOBODYS}}} 1");
        assert_eq!(counts(&exporter), [expected]);
    };
    check_labels(
        GET,
        "http_request_method=\"GET\",url_scheme=\"http\",network_protocol_version=\"1.1\",http_response_status_code=\"200\",error_type=\"\"",
    );
    check_labels(
        Served {
            method: "get",
            scheme: Scheme::Https,
            version: HttpVersion::Http2,
            status: None,
            error: Some(ErrorReason::ClientGone),
            ..GET
        },
        "http_request_method=\"_OTHER\",url_scheme=\"https\",network_protocol_version=\"2\",http_response_status_code=\"\",error_type=\"client_gone\"",
    );
}

#[test]
fn a_backend_cannot_choose_the_number_of_series() {
    let (exporter, _lister) = exporter();
    let recorder = exporter.requests().recorder();
    recorder.served(GET, MS);
    for status in 100..1_000 {
        let status = Some(status);
        recorder.served(Served { status, ..GET }, MS);
    }
    let counts = counts(&exporter);
    assert_eq!(counts.len(), 101);
    let find = |part: &str| counts.iter().find(|line| line.contains(part));
    let rest = find("http_request_method=\"_OTHER\"");
    assert!(rest.is_some_and(|line| line.ends_with(" 800")), "{rest:?}");
    let known = find("status_code=\"200\"");
    assert!(known.is_some_and(|line| line.ends_with(" 2")), "{known:?}");
}

#[test]
fn records_of_threads_add_up_over_scrapes_and_ticks() {
    use reporter_core::MetricsBackend;
    let (exporter, _lister) = exporter();
    let mut gauges = exporter.revision_gauges();
    let recorders = [
        exporter.requests().recorder(),
        exporter.requests().recorder(),
    ];
    for expected in [" 2", " 4", " 6"] {
        recorders.iter().for_each(|it| it.served(GET, MS));
        gauges.on_tick(&report(&[]));
        assert!(counts(&exporter)[0].ends_with(expected));
    }
    drop(recorders);
    assert!(counts(&exporter)[0].ends_with(" 6"));
}

#[test]
fn series_of_a_revision_have_its_labels_and_end_with_it() {
    let (exporter, lister) = exporter();
    lister.insert("default/a", "service", "configuration");
    let recorder = exporter.requests().recorder();
    let served = |key: &RevisionKey| {
        let revision = Some(key);
        recorder.served(Served { revision, ..GET }, MS);
    };
    served(&key("default/a"));
    served(&key("default/unknown"));
    let found = counts(&exporter);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains(
        "k8s_namespace_name=\"default\",kn_service_name=\"service\",kn_configuration_name=\"configuration\",kn_revision_name=\"a\""
    ));
    lister.remove("default/a");
    assert!(counts(&exporter).is_empty());
}

/// Makes the thread of a scrape wait in the middle of its text.
struct SlowForScrapes {
    scrape: OnceLock<ThreadId>,
    meets: Barrier,
}

impl RevisionLister for SlowForScrapes {
    fn revision(&self, _: &RevisionKey) -> Option<Revision> {
        if self.scrape.get() == Some(&thread::current().id()) {
            self.meets.wait();
            self.meets.wait();
        }
        Some(Revision {
            service: "".into(),
            configuration: "".into(),
        })
    }
}

#[test]
fn a_tick_does_not_wait_for_a_text() {
    let lister = Arc::new(SlowForScrapes {
        scrape: OnceLock::new(),
        meets: Barrier::new(2),
    });
    let exporter = Exporter::new("1.2.3", lister.clone());
    let mut gauges = exporter.revision_gauges();
    let recorder = exporter.requests().recorder();
    let served = Served {
        revision: Some(&key("default/a")),
        ..GET
    };
    recorder.served(served, MS);
    let scrape = thread::spawn({
        let (lister, exporter) = (lister.clone(), exporter.clone());
        move || {
            lister.scrape.get_or_init(|| thread::current().id());
            exporter.render([])
        }
    });
    // It has begun with the revision, and goes on only after the tick.
    lister.meets.wait();
    recorder.served(served, MS);
    let (done, tick) = mpsc::channel();
    thread::spawn(move || {
        gauges.on_tick(&report(&[("default/a", 1.0)]));
        done.send(()).unwrap();
    });
    let in_time = tick.recv_timeout(Duration::from_secs(20));
    lister.meets.wait();
    in_time.expect("the tick ends before the text");
    let text = scrape.join().unwrap();
    assert!(text.contains("} 1\n"), "{text}");
    let expected =
        "kn_service_name=\"\",kn_configuration_name=\"\",kn_revision_name=\"a\"} 2".to_owned();
    let later = counts(&exporter);
    assert!(later[0].ends_with(&expected), "{later:?}");
}
