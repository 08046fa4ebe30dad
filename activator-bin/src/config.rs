//! What the activator is told at its start.

mod embedded;
mod file;
mod json;
mod limits;
mod load;
mod problem;
mod restart;
mod revision;
mod scalars;
mod setting;
mod sink;
mod tls;
mod unknown;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reporter_core::{Accounting, Revision, RevisionKey};
use reporter_runtime::sink::autoscaler::AutoscalerConfig;

pub use crate::limits::{HalfClose, Limits};
pub(crate) use crate::logging::LogConfig;
pub use crate::logging::LogFormat;
pub use crate::probe::Probe;
pub use crate::revision::protocol::Protocol;
pub use crate::timeouts::TimeoutLimits;
pub(crate) use load::ReloadError;
pub use load::Sources;
pub(crate) use problem::Problems;
pub use revision::REVISION;
pub use scalars::SCALARS;
pub use setting::{Default, Setting};
pub use sink::{AUTOSCALER, JSON_LINES};
pub(crate) use tls::NAMESPACE;
pub use tls::{BackendTlsConfig, TlsConfig, TlsVersion};

/// Everything that can be configured, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Who reports: the `pod_name` of every stat.
    pub pod_name: String,
    /// The number of proxy threads; the machine's cores by default.
    pub workers: usize,
    /// The cluster's DNS domain, `cluster.local` by default.
    pub cluster_domain: String,
    /// How long service goes on at shutdown when it is not ready any more; 0 by default.
    pub drain_delay: Duration,
    /// How long requests in flight may take to end at shutdown; 30 s by default.
    pub drain_timeout: Duration,
    /// What `/readyz` depends on; `serving` by default.
    pub readiness: ReadyWhen,
    /// Where the activator listens.
    pub listen: Listen,
    /// What the listener for requests over TLS shows.
    pub tls: TlsConfig,
    /// How backends are verified that are reached over TLS.
    pub backend_tls: BackendTlsConfig,
    /// How requests are counted.
    pub reporter: ReporterConfig,
    /// How requests wait for capacity.
    pub throttle: ThrottleConfig,
    /// How backends are probed.
    pub probe: ProbeConfig,
    /// What the admin port lets its clients do.
    pub admin: AdminConfig,
    /// What clients and backends may take.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Where reports go; nowhere when empty.
    pub sinks: Vec<SinkConfig>,
    /// The revisions that are served. No two have the same key.
    pub revisions: Vec<RevisionConfig>,
    /// Whether an echo server in this process is the backend of the revisions: only without a file.
    pub echo: bool,
}

/// What `/readyz` depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyWhen {
    /// That requests are served.
    Serving,
    /// That requests are served and that a link to an autoscaler is up.
    Autoscaler,
}

/// Where the activator listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Requests to be proxied.
    pub http: SocketAddr,
    /// Requests as well, by convention those of HTTP/2; none when it is off.
    pub http2: Option<SocketAddr>,
    /// The same over TLS; nowhere by default.
    pub https: Option<SocketAddr>,
    /// `/metrics`, `/livez`, `/readyz`, `/v1/revisions`.
    pub admin: SocketAddr,
}

/// How requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReporterConfig {
    /// The length of a reporting period; 1 s by default.
    pub interval: Duration,
    /// `snapshot` by default.
    pub accounting: Accounting,
    /// The most revisions that are tracked at once; 100,000 by default.
    pub max_tracked_keys: usize,
    /// How long sinks may flush at shutdown; 5 s by default.
    pub flush_timeout: Duration,
}

/// How requests wait for capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// The most requests that wait for one revision, unless it says otherwise; 10,000 by default.
    pub queue_depth: usize,
    /// The most requests that wait for all revisions together; 100,000 by default.
    pub max_queued_requests: usize,
}

/// How backends are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    /// The pause after a failed probe; 200 ms by default.
    pub frequency: Duration,
    /// How long a probe may take at first; 300 ms by default.
    pub timeout: Duration,
    /// How long one may take of a backend that others timed out on; 10 s by default, `timeout` at least.
    pub max_timeout: Duration,
    /// The most probes at once; 100 by default.
    pub max_parallel: usize,
}

/// What the admin port lets its clients do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Whether they may change revisions; `false` by default.
    pub write: bool,
    /// The names of the host under which they may, besides `localhost` and IP addresses; in lower case,
    /// none by default.
    pub hosts: Vec<String>,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkConfig {
    /// Lines of JSON.
    JsonLines(JsonLinesConfig),
    /// Knative's autoscaler. [`AUTOSCALER`] has the defaults and the limits.
    Autoscaler(AutoscalerConfig),
}

/// A sink of JSON lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLinesConfig {
    /// A file that is appended to; none for standard output.
    pub path: Option<PathBuf>,
}

/// A revision that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionConfig {
    /// Its namespace and name.
    pub key: RevisionKey,
    /// Its service and configuration.
    pub revision: Revision,
    /// The most requests that one of its instances gets at once; 0, the default, is no limit.
    pub container_concurrency: u32,
    /// The most requests that wait for it; `queue_depth` of `[throttle]` by default.
    pub queue_depth: usize,
    /// How long its requests may take.
    pub timeouts: TimeoutLimits,
    /// How its instances show that they are ready; `tcp` by default.
    pub probe: Probe,
    /// In which version of HTTP its instances get requests; `auto` by default.
    pub protocol: Protocol,
    /// Whether its instances are reached over TLS; `false` by default.
    pub tls: bool,
    /// Where its instances listen. No address is in it twice.
    pub backends: Vec<SocketAddr>,
}

impl Listen {
    /// All addresses, each with the name of its setting.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [
            ("listen.http", Some(self.http)),
            ("listen.http2", self.http2),
            ("listen.https", self.https),
            ("listen.admin", Some(self.admin)),
        ];
        all.into_iter()
            .filter_map(|(field, address)| Some((field, address?)))
    }
}

impl Config {
    /// What is run when nobody brings a file or says otherwise.
    #[must_use]
    pub fn embedded() -> Self {
        embedded::config()
    }
}
