//! What the activator is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reporter_core::{Accounting, Revision, RevisionKey};

/// Everything that can be configured, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Who reports: the `pod_name` of every stat.
    pub pod_name: String,
    /// The number of proxy threads; the machine's cores by default.
    pub workers: usize,
    /// The cluster's DNS domain, `cluster.local` by default.
    pub cluster_domain: String,
    /// How long requests in flight may take to end at shutdown; 30 s by default.
    pub drain_timeout: Duration,
    /// Where the activator listens.
    pub listen: Listen,
    /// How requests are counted.
    pub reporter: ReporterConfig,
    /// Where reports go.
    pub sinks: Vec<SinkConfig>,
    /// The revisions that are served.
    pub revisions: Vec<RevisionConfig>,
    /// Whether `default/hello` is served too, by an echo server in this process.
    pub embedded_echo: bool,
}

/// Where the activator listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Requests to be proxied.
    pub http: SocketAddr,
    /// `/metrics`, `/livez`, `/readyz`.
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

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkConfig {
    /// Lines of JSON.
    JsonLines(JsonLinesConfig),
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
    /// Where its instances listen.
    pub backends: Vec<SocketAddr>,
}
