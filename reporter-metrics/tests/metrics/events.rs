//! The effect of each event on the text.

use std::time::{Duration, SystemTime};

use reporter_metrics::{
    BackendState, ErrorReason, Exporter, InstanceState, METRICS, ProbeOutcome, QueueLimit,
    SpanDrop, StartCause, StopCause, WatchKind,
};

use crate::lister::{exporter, samples};
use crate::served::GET;

const MS: Duration = Duration::from_millis(1);

/// After `events`, the series whose names start with `prefix` are `expected`, those at 0 left out.
#[track_caller]
fn check(events: impl FnOnce(&Exporter), prefix: &str, expected: &[&str]) {
    let (exporter, _lister) = exporter();
    events(&exporter);
    let mut lines = samples(&exporter, prefix);
    lines.retain(|line| !line.ends_with(" 0"));
    assert_eq!(lines, expected);
}

#[test]
fn the_link_is_reachable_from_its_connect_to_its_end() {
    const REACHABLE: &str = "kn_activator_stats_conn_reachable{peer=\"autoscaler\"} 1";
    const ERRORS: &str = "kn_activator_stats_conn_errors_total{peer=\"autoscaler\"}";
    let check_link = |events: &str, expected: &[&str]| {
        let apply = |exporter: &Exporter| {
            let link = exporter.link("autoscaler");
            for event in events.split_whitespace() {
                match event {
                    "connected" => link.link_up(),
                    "failed" => link.connect_failed(),
                    "broken" => link.link_down(),
                    "closed" => link.link_closed(),
                    event => panic!("{event} is no event"),
                }
            }
        };
        check(apply, "kn_activator_stats", expected);
    };
    check_link("", &[]);
    check_link("connected", &[REACHABLE]);
    check_link("failed failed", &[&format!("{ERRORS} 2")]);
    check_link("connected broken", &[&format!("{ERRORS} 1")]);
    check_link(
        "connected broken failed connected",
        &[&format!("{ERRORS} 2"), REACHABLE],
    );
    check_link("connected closed", &[]);
}

#[test]
fn events_that_have_not_happened_yet_show_as_0() {
    let (exporter, _lister) = exporter();
    exporter.link("autoscaler");
    exporter.errors();
    assert_eq!(
        samples(&exporter, "kn_activator_stats_conn_reachable"),
        ["kn_activator_stats_conn_reachable{peer=\"autoscaler\"} 0"]
    );
    assert_eq!(
        samples(&exporter, "activator_errors_total").len(),
        ErrorReason::ALL.len()
    );
}

#[test]
fn frames_and_pending_keys_are_those_of_their_peer() {
    let events = |exporter: &Exporter| {
        let (one, other) = (exporter.link("one"), exporter.link("other"));
        one.frame_confirmed(MS);
        one.frame_confirmed(MS);
        one.frames_requeued(3);
        other.frame_confirmed(MS);
        other.pending_keys(9);
        other.pending_keys(7);
    };
    check(
        events,
        "activator_stats_frames",
        &[
            "activator_stats_frames_total{peer=\"one\",outcome=\"confirmed\"} 2",
            "activator_stats_frames_total{peer=\"one\",outcome=\"requeued\"} 3",
            "activator_stats_frames_total{peer=\"other\",outcome=\"confirmed\"} 1",
        ],
    );
    check(
        events,
        "activator_stats_pending",
        &["activator_stats_pending_keys{peer=\"other\"} 7"],
    );
}

#[test]
fn a_connection_counts_while_it_is_open() {
    check(
        |exporter| {
            let connections = exporter.connections();
            connections.opened();
            exporter.connections().opened();
            connections.opened();
            exporter.connections().closed();
            connections.limit(100);
        },
        "activator_client_connections",
        &[
            "activator_client_connections 2",
            "activator_client_connections_limit 100",
        ],
    );
}

#[test]
fn spans_are_counted_as_exported_or_by_why_they_were_dropped() {
    check(
        |exporter| {
            let spans = exporter.spans();
            spans.exported(3);
            spans.exported(2);
            spans.dropped(SpanDrop::QueueFull, 4);
            exporter.spans().dropped(SpanDrop::Stopped, 1);
            spans.dropped(SpanDrop::Rejected, 0);
        },
        "activator_spans",
        &[
            "activator_spans_dropped_total{reason=\"queue_full\"} 4",
            "activator_spans_dropped_total{reason=\"stopped\"} 1",
            "activator_spans_exported_total 5",
        ],
    );
}

#[test]
fn totals_that_are_kept_elsewhere_never_shrink() {
    check(
        |exporter| {
            let reporter = exporter.reporter();
            reporter.tracked_keys(5);
            reporter.tracked_keys(4);
            reporter.unmatched_outs(5);
            reporter.unmatched_outs(4);
            reporter.untracked_requests(3);
        },
        "activator_un",
        &[
            "activator_unmatched_out_total 5",
            "activator_untracked_requests_total 3",
        ],
    );
    check(
        |exporter| {
            exporter.log().lines_dropped(2);
            exporter.log().lines_dropped(1);
        },
        "activator_log",
        &["activator_log_lines_dropped_total 2"],
    );
    check(
        |exporter| {
            exporter.log().access_lines_dropped(2);
            exporter.log().access_lines_dropped(1);
        },
        "activator_access_log",
        &["activator_access_log_lines_dropped_total 2"],
    );
    check(
        |exporter| exporter.reporter().tracked_keys(4),
        "activator_tracked_keys",
        &["activator_tracked_keys 4"],
    );
}

#[test]
fn the_last_count_of_each_state_of_backends_counts() {
    use BackendState::{Probing, Ready};
    let apply = |exporter: &Exporter| {
        let backends = exporter.backends();
        backends.count(Probing, 1);
        backends.count(Ready, 2);
        backends.count(Ready, 3);
    };
    let expected = [
        "activator_backends{state=\"probing\"} 1",
        "activator_backends{state=\"ready\"} 3",
    ];
    check(apply, "activator_backends", &expected);
}

#[test]
fn the_last_age_of_each_watch_and_number_of_bad_objects_count() {
    let apply = |exporter: &Exporter| {
        let cluster = exporter.cluster();
        cluster.bad_objects(3);
        cluster.bad_objects(2);
        cluster.watch_age(WatchKind::Revisions, 1_500 * MS);
        cluster.watch_age(WatchKind::Secrets, 7 * MS);
        cluster.watch_age(WatchKind::Revisions, 500 * MS);
    };
    let ages = [
        "activator_watch_age_seconds{kind=\"revisions\"} 0.5",
        "activator_watch_age_seconds{kind=\"secrets\"} 0.007",
    ];
    check(apply, "activator_watch", &ages);
    check(apply, "activator_bad", &["activator_bad_objects 2"]);
}

#[test]
fn each_label_value_has_a_series_of_its_own() {
    /// The `n`th value happens `n` times, counted from 1.
    fn check_all<T: Copy>(
        name: &str,
        label: &str,
        all: &[T],
        text: impl Fn(T) -> &'static str,
        count: impl Fn(&Exporter, T),
    ) {
        let (exporter, _lister) = exporter();
        let mut expected = Vec::new();
        for (n, &value) in (1..).zip(all) {
            (0..n).for_each(|_| count(&exporter, value));
            expected.push(format!("{name}{{{label}=\"{}\"}} {n}", text(value)));
        }
        expected.sort_unstable();
        assert_eq!(samples(&exporter, name), expected);
    }
    check_all(
        "activator_errors_total",
        "reason",
        &ErrorReason::ALL,
        ErrorReason::as_str,
        |exporter, reason| exporter.errors().count(reason),
    );
    check_all(
        "activator_queue_rejections_total",
        "reason",
        &QueueLimit::ALL,
        QueueLimit::as_str,
        |exporter, limit| exporter.queue().rejected(limit),
    );
    check_all(
        "activator_backend_probes_total",
        "outcome",
        &ProbeOutcome::ALL,
        ProbeOutcome::as_str,
        |exporter, outcome| exporter.backends().probed(outcome),
    );
    check_all(
        "activator_skipped_objects_total",
        "kind",
        &WatchKind::ALL,
        WatchKind::as_str,
        |exporter, kind| exporter.cluster().skipped(kind),
    );
}

#[test]
fn the_last_reading_of_the_configuration_counts() {
    let check_readings = |readings: &[bool], expected: &str| {
        let (exporter, _lister) = exporter();
        let config = exporter.config();
        readings.iter().for_each(|&good| config.loaded(good));
        let expected = format!("activator_config_last_reload_success {expected}");
        assert_eq!(samples(&exporter, "activator_config"), [expected]);
    };
    check_readings(&[true], "1");
    check_readings(&[true, false], "0");
    check_readings(&[true, false, true], "1");
}

#[test]
fn the_last_reading_of_each_sections_certificates_counts() {
    let (exporter, _lister) = exporter();
    let listener = exporter.certificates("tls");
    let backends = exporter.certificates("backend_tls");
    listener.loaded(true);
    backends.loaded(false);
    listener.loaded(false);
    backends.loaded(true);
    let metric = "activator_certificate_last_reload_success";
    assert_eq!(
        samples(&exporter, metric),
        [
            format!("{metric}{{section=\"backend_tls\"}} 1"),
            format!("{metric}{{section=\"tls\"}} 0"),
        ]
    );
}

#[test]
fn a_section_without_a_certificate_has_no_expiry() {
    let (exporter, _lister) = exporter();
    let listener = exporter.certificates("tls");
    let _backends = exporter.certificates("backend_tls");
    let metric = "activator_certificate_expiration_timestamp_seconds";
    assert_eq!(samples(&exporter, metric), [""; 0]);
    for seconds in [1_990_915_200, 253_373_616_000] {
        listener.expires(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(
            samples(&exporter, metric),
            [format!("{metric}{{section=\"tls\"}} {seconds}")]
        );
    }
}

#[test]
fn an_observation_is_in_every_bucket_that_is_large_enough() {
    /// `below` of the observations (in milliseconds) are at most `bound`, a bucket's.
    #[track_caller]
    fn check_bucket(
        name: &str,
        observe: impl Fn(&Exporter, Duration),
        observations: &[u64],
        (bound, below): (&str, usize),
    ) {
        let (exporter, _lister) = exporter();
        for &millis in observations {
            observe(&exporter, Duration::from_millis(millis));
        }
        let buckets = samples(&exporter, &format!("{name}_bucket"));
        let bucket = buckets
            .iter()
            .find(|line| line.contains(&format!("le=\"{bound}\"")));
        let count = bucket.and_then(|line| line.rsplit(' ').next());
        assert_eq!(count, Some(below.to_string().as_str()), "{buckets:?}");
        let sums = samples(&exporter, &format!("{name}_sum"));
        let sum: u64 = observations.iter().sum();
        let read: f64 = sums[0]
            .rsplit(' ')
            .next()
            .expect("a value")
            .parse()
            .expect("a number");
        assert!((read - sum as f64 / 1_000.0).abs() < 1e-9, "{sums:?}");
    }
    let confirm = |exporter: &Exporter, d| exporter.link("autoscaler").frame_confirmed(d);
    let first = |exporter: &Exporter, d| exporter.link("autoscaler").first_report(d);
    let wait = |exporter: &Exporter, d| exporter.queue().waited(d);
    let served = |exporter: &Exporter, d| exporter.requests().recorder().served(GET, d);
    check_bucket(
        "activator_stats_confirm_seconds",
        confirm,
        &[0, 1, 2],
        ("0.001", 2),
    );
    check_bucket(
        "activator_stats_confirm_seconds",
        confirm,
        &[9_999, 10_001],
        ("10", 1),
    );
    check_bucket(
        "activator_first_report_seconds",
        first,
        &[0, 1, 2],
        ("0.0025", 3),
    );
    check_bucket(
        "activator_first_report_seconds",
        first,
        &[60_000],
        ("10", 0),
    );
    check_bucket(
        "activator_queue_wait_seconds",
        wait,
        &[200, 300_000],
        ("0.25", 1),
    );
    check_bucket(
        "activator_queue_wait_seconds",
        wait,
        &[200, 300_000],
        ("300", 2),
    );
    check_bucket(
        "http_server_request_duration_seconds",
        served,
        &[5, 6],
        ("0.005", 1),
    );
    check_bucket(
        "http_server_request_duration_seconds",
        served,
        &[5, 6],
        ("0.01", 2),
    );
    check_bucket(
        "http_server_request_duration_seconds",
        served,
        &[5, 11_000],
        ("+Inf", 2),
    );
}

#[test]
fn the_process_is_measured() {
    let (exporter, _lister) = exporter();
    let value = |name: &str| -> f64 {
        let lines = samples(&exporter, name);
        let value = lines[0].rsplit(' ').next().expect("a sample has a value");
        value.parse().expect("a value is a number")
    };
    for metric in METRICS {
        // Without a limit the limits are 0; so is the CPU time of a process that has just begun.
        let may_be_0 = metric.name.contains("_max_") || metric.name.contains("_cpu_");
        if metric.name.starts_with("process_") && !may_be_0 {
            assert!(value(metric.name) > 0.0, "{}", metric.name);
        }
    }
}

#[test]
fn a_restart_is_a_start_as_well() {
    let events = |exporter: &Exporter| {
        let instances = exporter.instances();
        instances.count(InstanceState::Ready, 2);
        instances.wanted(3);
        instances.started(StartCause::FirstRequest);
        instances.started(StartCause::Crash);
        instances.stopped(StopCause::Crash);
    };
    check(
        events,
        "activator_instance",
        &[
            "activator_instance_restarts_total 1",
            "activator_instance_starts_total{cause=\"crash\"} 1",
            "activator_instance_starts_total{cause=\"first_request\"} 1",
            "activator_instance_stops_total{cause=\"crash\"} 1",
            "activator_instances{state=\"ready\"} 2",
            "activator_instances_wanted 3",
        ],
    );
}
