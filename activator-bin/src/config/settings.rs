//! The table of all settings that are one value: a new one is an entry here and a slot in `Config`.

use super::setting::Default::{Found, Is, Unset};
use super::setting::{Setting, set};
use super::tls::{TLS_VERSIONS, server_name};
use super::value::Value;
use super::{Config, LogFormat, ReadyWhen, limits, revision};
use reporter_core::Accounting;
use std::path::PathBuf;

/// All settings that are one value, in the order in which they are documented.
pub static SCALARS: &[Setting<Config>] = &[
    Setting::<Config>::new(
        "pod_name",
        Found("the machine's name", machine_name),
        "The name this process reports under (`pod_name` in each stat)",
        |config, value| set(&mut config.pod_name, value.text().map(str::to_owned)),
    )
    .or_variable("POD_NAME"),
    Setting::new(
        "workers",
        Found("the machine's cores", cores),
        "The number of proxy threads",
        |config, value| set(&mut config.workers, value.whole(1..=1_024)),
    ),
    Setting::new(
        "cluster_domain",
        Is("cluster.local"),
        "The cluster's DNS domain, as in name.namespace.svc.cluster.local",
        |config, value| {
            set(
                &mut config.cluster_domain,
                value.dns_name().map(str::to_owned),
            )
        },
    ),
    Setting::new(
        "drain_delay",
        Is("0s"),
        "How long service goes on at shutdown, while readiness and each response say that it will end",
        |config, value| set(&mut config.drain_delay, value.duration("0s"..="24h")),
    ),
    Setting::new(
        "drain_timeout",
        Is("30s"),
        "After drain_delay, how long requests in flight may take to end",
        |config, value| set(&mut config.drain_timeout, value.duration("0s"..="24h")),
    ),
    Setting::new(
        "readiness",
        Is("serving"),
        "What /readyz depends on: serving, or autoscaler (the link to it must be up as well)",
        |config, value| set(&mut config.readiness, value.choice(READINESS)),
    ),
    Setting::new(
        "listen.http",
        Is("127.0.0.1:8012"),
        "Address and port for requests",
        |config, value| set(&mut config.listen.http, value.address()),
    ),
    Setting::new(
        "listen.http2",
        Is("127.0.0.1:8013"),
        "A second address and port for requests, by convention for HTTP/2; off disables it",
        |config, value| set(&mut config.listen.http2, value.address_or_off()),
    ),
    Setting::new(
        "listen.https",
        Is("off"),
        "Address and port for requests over TLS, by convention 8112; off disables it",
        |config, value| set(&mut config.listen.https, value.address_or_off()),
    ),
    Setting::new(
        "listen.admin",
        Is("127.0.0.1:9090"),
        "Address and port of /metrics, /livez, /readyz and /v1/revisions",
        |config, value| set(&mut config.listen.admin, value.address()),
    ),
    Setting::new(
        "tls.certificate",
        Unset,
        "Certificate chain for listen.https (PEM, leaf first)",
        |config, value| set(&mut config.tls.certificate, path(value)),
    ),
    Setting::new(
        "tls.key",
        Unset,
        "Private key of the leaf certificate (PEM)",
        |config, value| set(&mut config.tls.key, path(value)),
    ),
    Setting::new(
        "tls.min_version",
        Is("1.3"),
        "The oldest TLS version accepted from clients: 1.3 or 1.2",
        |config, value| set(&mut config.tls.min_version, value.choice(TLS_VERSIONS)),
    ),
    Setting::new(
        "tls.http2",
        Is("true"),
        "Whether ALPN offers HTTP/2 on listen.https: true or false",
        |config, value| set(&mut config.tls.http2, value.truth()),
    ),
    Setting::new(
        "backend_tls.ca_file",
        Unset,
        "CA certificates (PEM) that verify the backends of revisions with tls = true",
        |config, value| set(&mut config.backend_tls.ca_file, path(value)),
    ),
    Setting::new(
        "backend_tls.server_name",
        Unset,
        "The name that these backends' certificates must be valid for; {namespace} stands for the revision's. Unset: the backend's IP address",
        |config, value| set(&mut config.backend_tls.server_name, server_name(value)),
    ),
    Setting::new(
        "backend_tls.min_version",
        Is("1.3"),
        "The oldest TLS version accepted from these backends: 1.3 or 1.2",
        |config, value| {
            set(
                &mut config.backend_tls.min_version,
                value.choice(TLS_VERSIONS),
            )
        },
    ),
    Setting::new(
        "reporter.interval",
        Is("1s"),
        "The length of a reporting period",
        |config, value| set(&mut config.reporter.interval, value.duration("10ms"..="1h")),
    ),
    Setting::new(
        "reporter.accounting",
        Is("snapshot"),
        "How requests are counted: snapshot or average",
        |config, value| set(&mut config.reporter.accounting, value.choice(ACCOUNTING)),
    ),
    Setting::new(
        "reporter.max_tracked_keys",
        Is("100000"),
        "The most revisions tracked at once; requests to others are served but not counted",
        |config, value| {
            let slot = &mut config.reporter.max_tracked_keys;
            set(slot, value.whole(1..=100_000_000))
        },
    ),
    Setting::new(
        "reporter.flush_timeout",
        Is("5s"),
        "How long sinks may flush at shutdown",
        |config, value| {
            let slot = &mut config.reporter.flush_timeout;
            set(slot, value.duration("0s"..="1h"))
        },
    ),
    Setting::new(
        "throttle.queue_depth",
        Is("10000"),
        "The most requests queued for one revision, unless the revision sets its own",
        |config, value| {
            let slot = &mut config.throttle.queue_depth;
            set(slot, value.whole(revision::QUEUE_DEPTH))
        },
    ),
    Setting::new(
        "throttle.max_queued_requests",
        Is("100000"),
        "The most requests queued for all revisions together",
        |config, value| {
            let slot = &mut config.throttle.max_queued_requests;
            set(slot, value.whole(revision::QUEUE_DEPTH))
        },
    ),
    Setting::new(
        "probe.frequency",
        Is("200ms"),
        "The pause after a failed probe; it grows while a backend keeps failing",
        |config, value| set(&mut config.probe.frequency, value.duration("10ms"..="1m")),
    ),
    Setting::new(
        "probe.timeout",
        Is("300ms"),
        "The timeout of a first probe",
        |config, value| set(&mut config.probe.timeout, value.duration("10ms"..="1m")),
    ),
    Setting::new(
        "probe.max_timeout",
        Is("10s"),
        "The longest timeout of a probe, for a backend on which shorter ones timed out",
        |config, value| {
            set(
                &mut config.probe.max_timeout,
                value.duration("10ms"..="10m"),
            )
        },
    ),
    Setting::new(
        "probe.max_parallel",
        Is("100"),
        "The most probes at once, over all revisions",
        |config, value| set(&mut config.probe.max_parallel, value.whole(2..=10_000)),
    ),
    Setting::new(
        "admin.write",
        Is("false"),
        "Whether revisions can be changed through the admin port: true or false",
        |config, value| set(&mut config.admin.write, value.truth()),
    ),
    Setting::new(
        "admin.hosts",
        Unset,
        "Names of this host under which they may, besides localhost and IP addresses, separated by commas or in a list",
        |config, value| set(&mut config.admin.hosts, value.host_names()),
    ),
    limits::MAX_CONNECTIONS,
    limits::HEADER_TIMEOUT,
    limits::MAX_HEADER_SIZE,
    limits::MAX_HEADERS,
    limits::MAX_REQUEST_BODY,
    limits::BODY_IDLE_TIMEOUT,
    limits::HALF_CLOSE,
    limits::CLIENT_IDLE_TIMEOUT,
    limits::CONNECT_TIMEOUT,
    limits::BACKEND_IDLE_TIMEOUT,
    limits::BACKEND_IDLE_CONNECTIONS,
    limits::MAX_BACKEND_IDLE_CONNECTIONS,
    limits::BACKEND_MAX_STREAMS,
    limits::BACKEND_PING_INTERVAL,
    limits::HTTP2_MAX_CONCURRENT_STREAMS,
    limits::HTTP2_WINDOW,
    limits::HTTP2_MAX_PENDING_RESETS,
    limits::HTTP2_MAX_ERROR_RESETS,
    limits::HTTP2_PING_INTERVAL,
    limits::HTTP2_PING_TIMEOUT,
    Setting::new(
        "log",
        Is("info"),
        "Log level: error, warn, info, debug or trace, or per module as in info,hyper=debug",
        |config, value| set(&mut config.log.filter, value.log_filter()),
    ),
    Setting::new(
        "log_format",
        Is("text"),
        "Log format: text or json",
        |config, value| set(&mut config.log.format, value.choice(LOG_FORMAT)),
    ),
];

const READINESS: &[(&str, ReadyWhen)] = &[
    ("serving", ReadyWhen::Serving),
    ("autoscaler", ReadyWhen::Autoscaler),
];

const ACCOUNTING: &[(&str, Accounting)] = &[
    (Accounting::Snapshot.as_str(), Accounting::Snapshot),
    (Accounting::Average.as_str(), Accounting::Average),
];

const LOG_FORMAT: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

fn path(value: &Value<'_>) -> Result<Option<PathBuf>, String> {
    value.text().map(|path| Some(path.into()))
}

fn cores() -> String {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(1_024)
        .to_string()
}

fn machine_name() -> String {
    // Only Linux has this file. Elsewhere, and for a name that is no name, what is left is the pod's
    // name being a matter of configuration.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match Value::Text(name.trim()).text() {
        Ok(name) => name.to_owned(),
        Err(_) => "activator".to_owned(),
    }
}
