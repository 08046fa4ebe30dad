//! `Config`: the sections of the file, and the settings above the first one.

use std::net::SocketAddr;
use std::time::Duration;

use reporter_core::Accounting;
use reporter_metrics::Names;

use super::{
    AccessLogConfig, BackendTlsConfig, CertificateConfig, Cluster, KubernetesConfig, Limits,
    LogConfig, ReadyWhen, RevisionSpec, SinkConfig, TlsConfig, TracingConfig, revision,
};
use crate::settings::{Value, settings};

settings! {
    /// Everything that can be configured, checked and complete.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Config in "" {
        /// The name this process reports under (`pod_name` in each stat).
        pod_name: String = found("the machine's name", machine_name), text(), or_variable("POD_NAME");
        /// The number of proxy threads.
        workers: usize = found("the machine's cores", cores), whole(1..=1_024);
        /// The cluster's DNS domain, as in name.namespace.svc.cluster.local.
        cluster_domain: String = "cluster.local", dns_name(), or_variable("CLUSTER_DOMAIN");
        /// Whether clients may name any revision, by Knative's headers or a Host like name.namespace.svc.cluster.local: true or false.
        trust_knative_headers: bool = "true", truth();
        /// How long to keep serving at shutdown, while /readyz fails and clients are asked to go elsewhere.
        drain_delay: Duration = "0s", duration("0s"..="24h");
        /// How long requests in flight may take to end after drain_delay.
        drain_timeout: Duration = "30s", duration("0s"..="24h");
        /// What /readyz depends on: serving, or autoscaler (the link to it must be up as well).
        readiness: ReadyWhen = "serving",
            choice(&[("serving", ReadyWhen::Serving), ("autoscaler", ReadyWhen::Autoscaler)]);
    }
    sections {
        /// The addresses that the activator listens on.
        listen: Listen;
        /// The certificate of the TLS listener.
        tls: TlsConfig;
        /// How TLS backends are verified.
        backend_tls: BackendTlsConfig;
        /// How requests are counted.
        reporter: ReporterConfig;
        /// How requests are queued.
        throttle: ThrottleConfig;
        /// How backends are probed.
        probe: ProbeConfig;
        /// What clients of the admin port may do.
        admin: AdminConfig;
        /// What /metrics shows.
        metrics: MetricsConfig;
        /// Bounds on what clients and backends may take.
        limits: Limits;
        /// What is logged, and how.
        log: LogConfig;
        /// The line that is written for each request.
        access_log: AccessLogConfig;
        /// Traces of requests.
        tracing: TracingConfig;
        /// The cluster that revisions come from, with --kubernetes.
        kubernetes: KubernetesConfig;
    }
    others {
        /// Where reports go; may be empty.
        sinks: Vec<SinkConfig>;
        /// The certificates for some hosts of the TLS listener. No two have the same host.
        certificates: Vec<CertificateConfig>;
        /// How the cluster that revisions come from is reached; `None` when they come from elsewhere.
        cluster: Option<Cluster>;
        /// Whether trust_knative_headers was set.
        is_trust_set: bool;
        /// Whether the log filter was set, so that the cluster does not set it.
        is_log_set: bool;
        /// The same of the access log.
        is_access_log_set: bool;
        /// The same of traces.
        is_tracing_set: bool;
        /// The revisions that are served. No two have the same key.
        revisions: Vec<RevisionSpec>;
    }
}

settings! {
    /// The addresses that the activator listens on.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Listen in "listen." {
        /// Address and port for requests.
        http: SocketAddr = "127.0.0.1:8012", address();
        /// A second address and port for requests, by convention for HTTP/2; off disables it.
        http2: Option<SocketAddr> = "127.0.0.1:8013", address_or_off();
        /// Address and port for requests over TLS, by convention 8112; off disables it.
        https: Option<SocketAddr> = "off", address_or_off();
        /// Address and port of /metrics, /livez, /readyz, /v1/revisions, /v1/events and /v1/log.
        admin: SocketAddr = "127.0.0.1:9090", address();
    }
}

settings! {
    /// How requests are counted.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReporterConfig in "reporter." {
        /// The length of a reporting period.
        interval: Duration = "1s", duration("10ms"..="1h");
        /// How requests are counted: snapshot or average.
        accounting: Accounting = "snapshot",
            choice(&[Accounting::Snapshot, Accounting::Average].map(|it| (it.as_str(), it)));
        /// The most revisions tracked at once; requests to others are served but not counted.
        max_tracked_keys: usize = "100000", whole(1..=100_000_000);
        /// How long sinks may take to flush at shutdown.
        flush_timeout: Duration = "5s", duration("0s"..="1h");
    }
}

settings! {
    /// How requests are queued.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ThrottleConfig in "throttle." {
        /// The most requests queued for one revision, unless the revision sets its own.
        queue_depth: usize = "10000", whole(revision::QUEUE_DEPTH), inherited();
        /// The most requests queued for all revisions together.
        max_queued_requests: usize = "100000", whole(revision::QUEUE_DEPTH);
    }
}

settings! {
    /// How backends are probed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ProbeConfig in "probe." {
        /// The pause after a failed probe. Shorter for a new backend; it grows while a backend keeps failing.
        frequency: Duration = "200ms", duration("10ms"..="1m"), or_variable("PROBE_FREQUENCY");
        /// The timeout of a first probe.
        timeout: Duration = "300ms", duration("10ms"..="1m"), or_variable("PROBE_TIMEOUT");
        /// The longest timeout of a probe; each timeout that expires makes the next one longer.
        // Not below `timeout`.
        max_timeout: Duration = "10s", duration("10ms"..="10m");
        /// The most concurrent probes, over all revisions.
        max_parallel: usize = "100", whole(2..=10_000);
    }
}

settings! {
    /// What clients of the admin port may do.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AdminConfig in "admin." {
        /// Whether revisions and the log filter can be changed through the admin port: true or false.
        write: bool = "false", truth();
        /// The host names accepted for such changes, besides localhost and IP addresses: a list, or separated by commas.
        // In lower case.
        hosts: Vec<String> = [], host_names();
    }
}

settings! {
    /// What `/metrics` shows.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MetricsConfig in "metrics." {
        /// The names of metrics that Knative's activator has too: knative (of 1.19 and newer), legacy (up to 1.18) or both.
        names: Names = "knative",
            choice(&[("knative", Names::Knative), ("legacy", Names::Legacy), ("both", Names::Both)]);
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(1_024))
}

fn machine_name() -> String {
    let system = rustix::system::uname();
    let name = Value::Text(&system.nodename().to_string_lossy()).text();
    name.unwrap_or_else(|_| "activator".to_owned())
}
