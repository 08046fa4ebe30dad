//! The table of all settings that are one value: a new one is an entry here and a slot in `Config`.

use super::setting::Default::{Found, Is, Unset};
use super::setting::{Setting, set};
use super::tls::{TLS_VERSIONS, server_name};
use super::value::Value;
use super::{Config, LogFormat, Readiness, limits, revision};
use reporter_core::Accounting;
use std::path::PathBuf;

/// All settings that are one value, in the order in which they are documented.
pub static SCALARS: &[Setting<Config>] = &[
    Setting::<Config>::new(
        "pod_name",
        Found("the machine's name", machine_name),
        "Who reports: the pod_name of every stat",
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
        "How long service goes on as usual at shutdown, while readiness says that it will end",
        |config, value| set(&mut config.drain_delay, value.duration("0s"..="24h")),
    ),
    Setting::new(
        "drain_timeout",
        Is("30s"),
        "How long requests in flight may take to end after that",
        |config, value| set(&mut config.drain_timeout, value.duration("0s"..="24h")),
    ),
    Setting::new(
        "readiness",
        Is("serving"),
        "What /readyz depends on: serving, or autoscaler for the link to it as well",
        |config, value| set(&mut config.readiness, value.choice(READINESS)),
    ),
    Setting::new(
        "listen.http",
        Is("127.0.0.1:8012"),
        "Address and port for requests to be proxied",
        |config, value| set(&mut config.listen.http, value.address()),
    ),
    Setting::new(
        "listen.http2",
        Is("127.0.0.1:8013"),
        "Address and port for requests as well, by convention those of HTTP/2; off for none",
        |config, value| set(&mut config.listen.http2, value.address_or_off()),
    ),
    Setting::new(
        "listen.https",
        Is("off"),
        "Address and port for requests over TLS, by convention 8112; off for none",
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
        "The certificates (PEM) that clients of listen.https are shown, the own one first",
        |config, value| set(&mut config.tls.certificate, path(value)),
    ),
    Setting::new(
        "tls.key",
        Unset,
        "The private key (PEM) of the own certificate",
        |config, value| set(&mut config.tls.key, path(value)),
    ),
    Setting::new(
        "tls.min_version",
        Is("1.3"),
        "The oldest TLS that clients may speak: 1.3 or 1.2",
        |config, value| set(&mut config.tls.min_version, value.choice(TLS_VERSIONS)),
    ),
    Setting::new(
        "backend_tls.ca_file",
        Unset,
        "The certificates (PEM) that backends of revisions with tls = true are verified with",
        |config, value| set(&mut config.backend_tls.ca_file, path(value)),
    ),
    Setting::new(
        "backend_tls.server_name",
        Unset,
        "The name that these backends' certificates must be valid for, in which {namespace} is that of the revision; each one's IP address when unset",
        |config, value| set(&mut config.backend_tls.server_name, server_name(value)),
    ),
    Setting::new(
        "backend_tls.min_version",
        Is("1.3"),
        "The oldest TLS that these backends may speak: 1.3 or 1.2",
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
        "The most revisions that are tracked at once",
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
        "The most requests that wait for one revision, unless it says otherwise",
        |config, value| {
            let slot = &mut config.throttle.queue_depth;
            set(slot, value.whole(revision::QUEUE_DEPTH))
        },
    ),
    Setting::new(
        "throttle.max_queued_requests",
        Is("100000"),
        "The most requests that wait for all revisions together",
        |config, value| {
            let slot = &mut config.throttle.max_queued_requests;
            set(slot, value.whole(revision::QUEUE_DEPTH))
        },
    ),
    Setting::new(
        "probe.frequency",
        Is("200ms"),
        "The pause after a failed probe of a backend",
        |config, value| set(&mut config.probe.frequency, value.duration("10ms"..="1m")),
    ),
    Setting::new(
        "probe.timeout",
        Is("300ms"),
        "How long a probe may take at first",
        |config, value| set(&mut config.probe.timeout, value.duration("10ms"..="1m")),
    ),
    Setting::new(
        "probe.max_timeout",
        Is("10s"),
        "How long a probe may take of a backend that others timed out on",
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
        "The most probes at once",
        |config, value| set(&mut config.probe.max_parallel, value.whole(2..=10_000)),
    ),
    Setting::new(
        "admin.write",
        Is("false"),
        "Whether clients of the admin port may change revisions: true or false",
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
    limits::CONNECT_TIMEOUT,
    limits::BACKEND_IDLE_TIMEOUT,
    limits::BACKEND_IDLE_CONNECTIONS,
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
        "What is logged: error, warn, info, debug, trace, or per module as in info,hyper=debug",
        |config, value| set(&mut config.log.filter, value.log_filter()),
    ),
    Setting::new(
        "log_format",
        Is("text"),
        "How it is logged: text or json",
        |config, value| set(&mut config.log.format, value.choice(LOG_FORMAT)),
    ),
];

const READINESS: &[(&str, Readiness)] = &[
    ("serving", Readiness::Serving),
    ("autoscaler", Readiness::Autoscaler),
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
