//! The text as a whole: valid, complete, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reporter_core::MetricsBackend;
use reporter_metrics::{
    Exporter, HttpVersion, Kind, METRICS, Metric, Names, RequestMetrics, RevisionRequests, Scheme,
    Served, WatchKind,
};

use crate::exposition::{Family, parse};
use crate::legacy::LEGACY;
use crate::lister::{Lister, exporter, exporter_with, key, report};
use crate::served::GET;

/// Asks for everything that records.
fn exporter_with_everything() -> (Exporter, Arc<Lister>) {
    let (exporter, lister) = exporter_with(Names::Both);
    lister.insert("default/hello", "hello", "hello");
    exporter
        .revision_gauges()
        .on_tick(&report(&[("default/hello", 1.0)]));
    exporter.reporter();
    exporter.link("autoscaler");
    exporter.queue();
    exporter.backends();
    exporter.instances();
    let cluster = exporter.cluster();
    cluster.watch_age(WatchKind::Secrets, Duration::ZERO);
    exporter.config();
    exporter.log();
    exporter.certificates("tls").expires(SystemTime::now());
    exporter.connections();
    exporter.handshakes();
    exporter.spans();
    exporter.errors();
    serve(&exporter.requests(), "GET", Some(200));
    let served = Served {
        revision: Some(&key("default/hello")),
        ..GET
    };
    exporter
        .requests()
        .recorder()
        .served(served, Duration::ZERO);
    (exporter, lister)
}

fn serve(requests: &RequestMetrics, method: &str, status: Option<u16>) {
    let served = Served {
        method,
        scheme: Scheme::Http,
        version: HttpVersion::Http11,
        status,
        error: None,
        revision: None,
    };
    requests
        .recorder()
        .served(served, Duration::from_millis(20));
}

/// `default/hello` without requests.
fn idle() -> Option<RevisionRequests> {
    Some(RevisionRequests {
        key: key("default/hello"),
        queued: 0,
        active: 0,
    })
}

fn families(exporter: &Exporter) -> BTreeMap<String, Family> {
    named(&exporter.render([]))
}

fn named(text: &str) -> BTreeMap<String, Family> {
    let families = parse(text).expect("the text is valid");
    let named = families.into_iter();
    named.map(|family| (family.name.clone(), family)).collect()
}

#[test]
fn the_text_agrees_with_the_table() {
    let (exporter, _lister) = exporter_with_everything();
    let families = named(&exporter.render(idle()));
    let table: BTreeMap<String, &Metric> = METRICS
        .iter()
        .map(|metric| (metric.name.to_owned(), metric))
        .collect();
    assert_eq!(table.len(), METRICS.len(), "a name stands twice");
    assert!(families.keys().eq(table.keys()), "{:?}", families.keys());
    for (name, family) in &families {
        let metric = table[name];
        assert_eq!(family.kind, metric.kind.as_str(), "{name}");
        assert_eq!(family.help, metric.help, "{name}");
        for sample in &family.samples {
            let labels = sample.labels.keys().filter(|label| *label != "le");
            let mut expected = metric.labels.to_vec();
            expected.sort_unstable();
            assert!(labels.eq(expected), "{sample:?}");
        }
    }
}

#[test]
fn the_table_keeps_to_the_conventions_of_prometheus() {
    // Legacy names are as they are.
    for metric in METRICS.iter().filter(|it| !LEGACY.contains(&it.name)) {
        let Metric { name, kind, .. } = metric;
        assert_eq!(
            name.ends_with("_total"),
            *kind == Kind::Counter,
            "{name}: counters and nothing else end in _total"
        );
        if let Kind::Histogram(bounds) = kind {
            assert!(name.ends_with("_seconds"), "{name} does not name its unit");
            assert!(bounds.is_sorted_by(|a, b| a < b), "{name}");
        }
        assert!(!metric.help.is_empty() && !metric.help.contains('\n'));
    }
}

#[test]
fn a_metric_that_is_not_recorded_does_not_appear() {
    let (exporter, _lister) = exporter();
    let mut expected: Vec<&str> = METRICS
        .iter()
        .map(|metric| metric.name)
        .filter(|name| name.starts_with("process_") || *name == "activator_build_info")
        .collect();
    expected.sort_unstable();
    let families = families(&exporter);
    assert!(families.keys().eq(expected), "{:?}", families.keys());
}

#[test]
fn metrics_and_series_stand_in_the_same_order_each_time() {
    let (exporter, lister) = exporter_with_everything();
    let mut revision_gauges = exporter.revision_gauges();
    for name in ["c", "a", "b", "a-b"] {
        lister.insert(&format!("default/{name}"), name, name);
        revision_gauges.on_tick(&report(&[(&format!("default/{name}"), 0.0)]));
    }
    let series = || {
        let families = parse(&exporter.render(idle())).expect("the text is valid");
        let names: Vec<_> = families.iter().map(|family| family.name.clone()).collect();
        assert!(names.is_sorted(), "{names:?}");
        let samples = families.into_iter().flat_map(|family| family.samples);
        let series = samples.map(|sample| (sample.name, sample.labels));
        series.collect::<Vec<_>>()
    };
    let first = series();
    for _ in 0..5 {
        assert_eq!(series(), first);
    }
}

#[test]
fn a_label_value_is_read_back_as_it_was() {
    let check = |value: &str| {
        let exporter = Exporter::new(value, Arc::new(Lister::default()));
        let families = families(&exporter);
        let sample = &families["activator_build_info"].samples[0];
        assert_eq!(sample.labels["version"], value);
    };
    for value in [
        "",
        "1.2.3",
        "a \"quoted\" word",
        "C:\\dir\\file",
        "two\nlines",
        "{}=,# HELP a b",
        "\u{e9}\u{4e2d}",
        "\r\t\0",
        "\n\n# TYPE a gauge\na 1\n",
    ] {
        check(value);
    }
}

#[test]
fn label_values_of_special_characters_are_read_back_as_they_were() {
    const PIECES: [&str; 5] = ["\\", "\"", "\n", "n", "}"];
    let pieces = || PIECES.into_iter();
    let texts = pieces()
        .flat_map(|a| pieces().flat_map(move |b| pieces().map(move |c| [a, b, c].concat())));
    let (exporter, lister) = exporter();
    let mut revision_gauges = exporter.revision_gauges();
    let mut expected = BTreeSet::new();
    for (index, text) in texts.enumerate() {
        let key = format!("default/hello-{index}");
        lister.insert(&key, &text, &text);
        revision_gauges.on_tick(&report(&[(&key, 1.0)]));
        expected.insert(text);
    }
    let families = families(&exporter);
    let samples = &families["kn_revision_request_concurrency"].samples;
    let services = samples
        .iter()
        .map(|it| it.labels["kn_service_name"].clone());
    assert_eq!(samples.len(), 125);
    assert_eq!(services.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn label_sets_with_swapped_values_are_different_series() {
    let (exporter, lister) = exporter();
    let mut expected = Vec::new();
    let names = ["a", "b", "c", "d"];
    for namespace in names {
        for name in names {
            expected.push((format!("{namespace}/{name}"), expected.len() as f64));
        }
    }
    for (key, _) in &expected {
        lister.insert(key, "b", "a");
    }
    let values: Vec<(&str, f64)> = expected.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    exporter.revision_gauges().on_tick(&report(&values));
    let families = families(&exporter);
    let samples = families["kn_revision_request_concurrency"].samples.iter();
    let read: BTreeMap<String, f64> = samples
        .map(|sample| {
            let labels = &sample.labels;
            let (namespace, name) = (&labels["k8s_namespace_name"], &labels["kn_revision_name"]);
            (format!("{namespace}/{name}"), sample.value)
        })
        .collect();
    assert_eq!(read, expected.into_iter().collect());
}

#[test]
fn two_exporters_share_nothing() {
    let (one, other) = (exporter().0, exporter().0);
    one.errors();
    assert!(families(&one).contains_key("activator_errors_total"));
    assert!(!families(&other).contains_key("activator_errors_total"));
}
