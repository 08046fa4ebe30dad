//! The one table of all metrics: every name, label and help text that `/metrics` can show stands here.
//!
//! What must not live here: how a value comes about.

/// All metrics of `/metrics`. A metric without series does not appear.
///
/// ```
/// use reporter_metrics::{Kind, METRICS};
///
/// let errors = METRICS.iter().find(|metric| metric.name == "activator_errors_total");
/// let errors = errors.expect("it is in the table");
/// assert!(matches!(errors.kind, Kind::Counter));
/// assert_eq!(errors.labels, ["reason"]);
/// ```
pub const METRICS: &[Metric] = TABLE;

/// The description of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its name in the Prometheus text.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// The names of its labels, in the order of the text.
    pub labels: &'static [&'static str],
    /// What it means, in one line.
    pub help: &'static str,
}

/// How a metric's values behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations by size; with the upper bounds of the buckets, the infinite one left out.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word for it in the Prometheus text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Which names the figures have that Knative's activator has too.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use reporter_core::{Revision, RevisionKey, RevisionLister};
/// # use reporter_metrics::{Exporter, HttpVersion, Names, Scheme, Served};
/// # struct Any;
/// # impl RevisionLister for Any {
/// #     fn revision(&self, _: &RevisionKey) -> Option<Revision> {
/// #         Some(Revision { service: "hello".into(), configuration: "hello".into() })
/// #     }
/// # }
/// let exporter = Exporter::with_names("1.2.3", Arc::new(Any), Names::Legacy, "activator-0");
/// let key: RevisionKey = "default/hello-00001".parse()?;
/// let served = Served {
///     method: "GET",
///     scheme: Scheme::Http,
///     version: HttpVersion::Http11,
///     status: Some(200),
///     error: None,
///     revision: Some(&key),
/// };
/// exporter.requests().recorder().served(served, Duration::from_millis(20));
/// let text = exporter.render([]);
/// assert!(text.contains("activator_request_latencies_bucket{"));
/// assert!(!text.contains("http_server_request_duration_seconds"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Those of Knative 1.19 and newer.
    #[default]
    Knative,
    /// Those up to Knative 1.18, for figures that had one then.
    Legacy,
    /// Both at once.
    Both,
}

impl Names {
    pub(crate) const fn has_knative(self) -> bool {
        matches!(self, Self::Knative | Self::Both)
    }

    pub(crate) const fn has_legacy(self) -> bool {
        matches!(self, Self::Legacy | Self::Both)
    }
}

/// From a round trip on loopback to the timeout of a link.
const LINK_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// From a free slot to the default timeout of a request.
const WAIT_BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// Those of OpenTelemetry's `http.server.request.duration`.
pub(crate) const REQUEST_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Those of `activator_request_latencies`, in milliseconds.
pub(crate) const LEGACY_BUCKETS: &[f64] = &[
    5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0, 450.0,
    500.0, 600.0, 700.0, 800.0, 900.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0,
];

macro_rules! table {
    ($($id:ident: $kind:expr, $name:literal $labels:expr, $help:literal;)*) => {
        $(pub(crate) const $id: Metric = Metric {
            name: $name,
            kind: $kind,
            labels: &$labels,
            help: $help,
        };)*
        const TABLE: &[Metric] = &[$($id),*];
    };
}

table! {
    REVISION_CONCURRENCY: Kind::Gauge, "kn_revision_request_concurrency"
        ["k8s_namespace_name", "kn_service_name", "kn_configuration_name", "kn_revision_name"],
        "Concurrent requests, queued ones included, as of the last tick.";
    REVISION_QUEUED: Kind::Gauge, "kn_revision_request_queued"
        ["k8s_namespace_name", "kn_revision_name"],
        "Requests in the queue, of revisions that are awake.";
    REVISION_ACTIVE: Kind::Gauge, "kn_revision_request_active"
        ["k8s_namespace_name", "kn_revision_name"],
        "Requests being proxied, of revisions that are awake.";

    TRACKED_KEYS: Kind::Gauge, "activator_tracked_keys" [],
        "Revisions tracked by the reporter.";
    UNMATCHED_OUTS: Kind::Counter, "activator_unmatched_out_total" [],
        "Request ends that were ignored because no request was in flight.";
    UNTRACKED_REQUESTS: Kind::Counter, "activator_untracked_requests_total" [],
        "Requests served but not counted because reporter.max_tracked_keys was reached.";

    LINK_REACHABLE: Kind::Gauge, "kn_activator_stats_conn_reachable" ["peer"],
        "1 while the link to the autoscaler is up.";
    LINK_ERRORS: Kind::Counter, "kn_activator_stats_conn_errors_total" ["peer"],
        "Links to the autoscaler that broke or were refused.";
    FRAMES: Kind::Counter, "activator_stats_frames_total" ["peer", "outcome"],
        "Stat frames by outcome: confirmed, or requeued because the link broke first.";
    PENDING_KEYS: Kind::Gauge, "activator_stats_pending_keys" ["peer"],
        "Revisions with stats waiting in the outbox.";
    CONFIRM: Kind::Histogram(LINK_BUCKETS), "activator_stats_confirm_seconds" ["peer"],
        "Time from writing a stat frame to its confirmation.";
    FIRST_REPORT: Kind::Histogram(LINK_BUCKETS), "activator_first_report_seconds" [],
        "Time from the first request for an idle revision to writing the frame that reports it.";

    QUEUE_REJECTIONS: Kind::Counter, "activator_queue_rejections_total" ["reason"],
        "Requests refused because a queue was full, by the limit reached.";
    QUEUE_WAIT: Kind::Histogram(WAIT_BUCKETS), "activator_queue_wait_seconds" [],
        "Time requests spent in the queue.";
    BACKEND_PROBES: Kind::Counter, "activator_backend_probes_total" ["outcome"],
        "Probes of backends by outcome.";
    BACKENDS: Kind::Gauge, "activator_backends" ["state"],
        "Backends by state, of revisions that are awake: they had a request within the last minutes.";

    INSTANCES: Kind::Gauge, "activator_instances" ["state"],
        "Instances started on this machine, by state; stopped and failed are revisions that have none.";
    INSTANCES_WANTED: Kind::Gauge, "activator_instances_wanted" [],
        "Instances that the load, min_scale and the admin port ask for, of all revisions together.";
    INSTANCE_STARTS: Kind::Counter, "activator_instance_starts_total" ["cause"],
        "Instances started, or woken when they were frozen, by cause.";
    INSTANCE_STOPS: Kind::Counter, "activator_instance_stops_total" ["cause"],
        "Instances stopped, frozen, or ended by themselves, by cause.";
    INSTANCE_START: Kind::Histogram(WAIT_BUCKETS), "activator_instance_start_seconds" [],
        "Time from the first request that waits for an instance, or else from its start, until it is ready.";
    INSTANCE_RESTARTS: Kind::Counter, "activator_instance_restarts_total" [],
        "Instances started because the one before had ended by itself.";

    WATCH_AGE: Kind::Gauge, "activator_watch_age_seconds" ["kind"],
        "Time since the API server was last heard on the watch of that kind; it is heard every 30 s at least.";
    BAD_OBJECTS: Kind::Gauge, "activator_bad_objects" [],
        "Objects of the cluster with something wrong in them, which the log names.";
    SKIPPED_OBJECTS: Kind::Counter, "activator_skipped_objects_total" ["kind"],
        "Objects and events of the API server that could not be read: larger than 8 MiB, or not JSON of an object.";

    CONNECTIONS: Kind::Gauge, "activator_client_connections" [],
        "Open client connections.";
    CONNECTIONS_LIMIT: Kind::Gauge, "activator_client_connections_limit" [],
        "The most client connections at once, limits.max_connections; further ones wait.";
    ERRORS: Kind::Counter, "activator_errors_total" ["reason"],
        "Requests that failed, were refused or were cut short, by reason.";
    REQUEST_DURATION: Kind::Histogram(REQUEST_BUCKETS), "http_server_request_duration_seconds"
        ["http_request_method", "url_scheme", "network_protocol_version", "http_response_status_code", "error_type",
         "k8s_namespace_name", "kn_service_name", "kn_configuration_name", "kn_revision_name"],
        "Time from a request's head to the end of its response, aborted ones included; error_type is the reason in activator_errors_total.";

    LEGACY_CONCURRENCY: Kind::Gauge, "activator_request_concurrency"
        ["configuration_name", "container_name", "namespace_name", "pod_name", "revision_name", "service_name"],
        "Concurrent requests, queued ones included, as of the last tick.";
    LEGACY_COUNT: Kind::Counter, "activator_request_count"
        ["configuration_name", "container_name", "namespace_name", "pod_name", "response_code", "response_code_class",
         "revision_name", "service_name"],
        "Requests that have ended, by the status of their responses.";
    LEGACY_LATENCIES: Kind::Histogram(LEGACY_BUCKETS), "activator_request_latencies"
        ["configuration_name", "container_name", "namespace_name", "pod_name", "response_code", "response_code_class",
         "revision_name", "service_name"],
        "Milliseconds from a request's head to the end of its response, rounded down.";

    SPANS_EXPORTED: Kind::Counter, "activator_spans_exported_total" [],
        "Spans of traced requests that the collector has accepted.";
    SPANS_DROPPED: Kind::Counter, "activator_spans_dropped_total" ["reason"],
        "Spans of traced requests that were dropped, by reason.";

    BUILD_INFO: Kind::Gauge, "activator_build_info" ["version"],
        "Always 1; the labels describe the running build.";
    CONFIG_LAST_RELOAD_SUCCESS: Kind::Gauge, "activator_config_last_reload_success" [],
        "1 if the last read of the configuration succeeded.";
    CERTIFICATE_LAST_RELOAD_SUCCESS: Kind::Gauge, "activator_certificate_last_reload_success" ["section"],
        "1 if the last read of that section's certificates succeeded.";
    CERTIFICATE_EXPIRATION: Kind::Gauge, "activator_certificate_expiration_timestamp_seconds" ["section"],
        "When the leaf certificate expires, in Unix time.";
    HANDSHAKE_FAILURES: Kind::Counter, "activator_tls_handshake_failures_total" [],
        "Client connections that ended during the TLS handshake.";
    LOG_LINES_DROPPED: Kind::Counter, "activator_log_lines_dropped_total" [],
        "Log lines that were dropped because standard error did not take them, or left out of a flood.";
    ACCESS_LOG_LINES_DROPPED: Kind::Counter, "activator_access_log_lines_dropped_total" [],
        "Lines of the access log that were dropped because its file or standard output did not take them.";

    PROCESS_CPU: Kind::Counter, "process_cpu_seconds_total" [],
        "User and system CPU time spent.";
    PROCESS_OPEN_FDS: Kind::Gauge, "process_open_fds" [],
        "Open file descriptors.";
    PROCESS_MAX_FDS: Kind::Gauge, "process_max_fds" [],
        "Limit on open file descriptors; 0 means no limit.";
    PROCESS_VIRTUAL_MEMORY: Kind::Gauge, "process_virtual_memory_bytes" [],
        "Virtual memory.";
    PROCESS_VIRTUAL_MEMORY_MAX: Kind::Gauge, "process_virtual_memory_max_bytes" [],
        "Limit on virtual memory; 0 means no limit.";
    PROCESS_RESIDENT_MEMORY: Kind::Gauge, "process_resident_memory_bytes" [],
        "Resident memory.";
    PROCESS_START_TIME: Kind::Gauge, "process_start_time_seconds" [],
        "When the process started, in Unix time.";
    PROCESS_THREADS: Kind::Gauge, "process_threads" [],
        "Threads of the process.";
}
