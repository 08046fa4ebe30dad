//! The activator under test.

use std::net::SocketAddr;
use std::time::Duration;

use activator_bin::testing::{
    Activator, AdminConfig, BackendTlsConfig, Config, Limits, Listen, LogConfig, LogFormat,
    Options, Probe, ProbeConfig, ReadyWhen, ReporterConfig, RevisionConfig, ThrottleConfig,
    TimeoutLimits, TlsConfig,
};
use reporter_core::{Accounting, Revision, RevisionKey};

use crate::backend::Backend;
use crate::client::Client;

/// Longer than anything here takes; whoever waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The headers that choose the revision of most tests.
pub(crate) const HELLO: &str =
    "Host: proxy\r\nKnative-Serving-Namespace: default\r\nKnative-Serving-Revision: hello\r\n";

/// A configuration with free ports and `default/hello` on `backends`.
pub(crate) fn config(backends: &[SocketAddr]) -> Config {
    let address = "127.0.0.1:0".parse().unwrap();
    Config {
        pod_name: "activator-test".into(),
        workers: 2,
        cluster_domain: "cluster.local".into(),
        drain_delay: Duration::ZERO,
        drain_timeout: Duration::from_secs(5),
        listen: Listen {
            http: address,
            http2: Some(address),
            https: None,
            admin: address,
        },
        tls: TlsConfig::default(),
        backend_tls: BackendTlsConfig::default(),
        reporter: ReporterConfig {
            interval: Duration::from_millis(100),
            accounting: Accounting::Average,
            max_tracked_keys: 1_000,
            flush_timeout: Duration::from_secs(5),
        },
        readiness: ReadyWhen::Serving,
        throttle: ThrottleConfig {
            queue_depth: 100,
            max_queued_requests: 1_000,
        },
        probe: ProbeConfig {
            frequency: Duration::from_millis(20),
            timeout: Duration::from_millis(300),
            max_timeout: Duration::from_secs(1),
            max_parallel: 100,
        },
        admin: AdminConfig {
            write: false,
            hosts: Vec::new(),
        },
        limits: Limits::default(),
        log: LogConfig {
            filter: Default::default(),
            format: LogFormat::Text,
        },
        sinks: Vec::new(),
        revisions: vec![RevisionConfig {
            key: hello(),
            revision: Revision {
                service: "hello".into(),
                configuration: "hello".into(),
            },
            container_concurrency: 0,
            queue_depth: 100,
            timeouts: TimeoutLimits::default(),
            // The connections that backends get are those of requests.
            probe: Probe::None,
            protocol: Default::default(),
            tls: false,
            backends: backends.to_vec(),
        }],
        echo: false,
    }
}

pub(crate) fn hello() -> RevisionKey {
    "default/hello".parse().unwrap()
}

/// An activator in front of `backends`.
pub(crate) fn start(backends: &[SocketAddr]) -> Activator {
    Activator::start(config(backends), Options::default()).unwrap()
}

/// A client of an activator in front of one backend.
pub(crate) async fn scene() -> (Backend, Activator, Client) {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = activator.connect().await;
    (backend, activator, client)
}

/// What tests ask of the activator.
pub(crate) trait Ask {
    async fn connect(&self) -> Client;
    fn in_flight(&self) -> u64;
    /// Waits for so many requests in flight: they come and go on other threads.
    async fn until_in_flight(&self, count: u64);
}

impl Ask for Activator {
    async fn connect(&self) -> Client {
        Client::connect(self.http_addr()).await
    }

    fn in_flight(&self) -> u64 {
        self.reporter().in_flight(&hello()).unwrap_or(0)
    }

    async fn until_in_flight(&self, count: u64) {
        until(&format!("{count} in flight"), || self.in_flight() == count).await;
    }
}

/// Polls for something that happens on another thread without telling anybody.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let polling = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, polling).await;
    assert!(in_time.is_ok(), "not within {PATIENCE:?}: {what}");
}
