//! The activator under test.

use std::net::SocketAddr;
use std::time::Duration;

use activator_bin::testing::{Activator, Config, Options, RevisionSpec};
use reporter_core::RevisionKey;
use tokio::net::TcpStream;

use super::backend::Backend;
use super::config::for_tests;
use super::http1::{Client, get};
use super::metrics::until_metric;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_activator");

/// The timeout of every wait: nothing here takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration with free ports and `default/hello` on `backends`.
pub(crate) fn config(backends: &[SocketAddr]) -> Config {
    // The connections that backends get are those of requests: they are not probed.
    let mut config = for_tests(
        "
        workers = 2
        drain_timeout = '5s'
        reporter = { interval = '100ms', accounting = 'average', max_tracked_keys = 1000 }
        throttle = { queue_depth = 100, max_queued_requests = 1000 }
        probe = { frequency = '20ms', max_timeout = '1s' }
        [[revision]]
        namespace = 'default'
        name = 'hello'
        service = 'hello'
        probe = 'none'
        ",
    );
    config.revisions[0].backends = backends.to_vec();
    config
}

pub(crate) fn hello() -> RevisionKey {
    "default/hello".parse().unwrap()
}

/// An activator in front of `backends`.
pub(crate) fn start(backends: &[SocketAddr]) -> Activator {
    start_with(config(backends))
}

pub(crate) fn start_with(config: Config) -> Activator {
    Activator::start(config, options()).unwrap()
}

/// The defaults, with the program that supervises instances.
pub(crate) fn options() -> Options {
    Options {
        program: Some(PROGRAM.into()),
        ..Options::default()
    }
}

/// A configuration with free ports and `default/hello`, an echo server that is started for the first request.
pub(crate) fn echo() -> Config {
    let launched = for_tests(&format!(
        "
        [[revision]]
        namespace = 'default'
        name = 'hello'
        command = ['{PROGRAM}', 'echo']
        max_scale = 1
        ",
    ));
    let mut config = config(&[]);
    // All requests of a test may come before it is ready.
    config.revisions[0].queue_depth = 1_000;
    config.revisions[0]
        .launch
        .clone_from(&launched.revisions[0].launch);
    config
}

/// A client of an activator in front of one backend.
pub(crate) async fn scene() -> (Backend, Activator, Client) {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = activator.connect().await;
    (backend, activator, client)
}

/// Changes `default/hello`.
pub(crate) fn change(activator: &Activator, change: impl FnOnce(&mut RevisionSpec)) {
    let before = activator.revisions().config(&hello()).unwrap();
    let mut config = RevisionSpec::clone(&before);
    change(&mut config);
    activator.revisions().put(config).unwrap();
}

/// Replaces the backends of `default/hello`.
pub(crate) fn put(activator: &Activator, backends: &[SocketAddr]) {
    change(activator, |config| config.backends = backends.to_vec());
}

/// Clients whose requests `/0`, `/1`, ... are queued in this order.
pub(crate) async fn queue(activator: &Activator, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for index in 0..count {
        let mut client = activator.connect().await;
        client.send(get(&format!("/{index}"))).await;
        until_metric(activator, "queued", index + 1).await;
        clients.push(client);
    }
    clients
}

/// What tests ask of the activator.
pub(crate) trait Ask {
    async fn connect(&self) -> Client;
    fn in_flight(&self) -> u64;
    /// Waits until exactly `count` requests are in flight.
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

/// Polls until `is_so` holds: for what happens on other threads without a notification.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let polling = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, polling).await;
    assert!(in_time.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// Waits until connections are refused: the only sign from outside that every worker drains.
pub(crate) async fn until_refused(http: SocketAddr) {
    let refused = tokio::time::timeout(PATIENCE, async {
        while TcpStream::connect(http).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    refused.await.expect("new connections are refused");
}
