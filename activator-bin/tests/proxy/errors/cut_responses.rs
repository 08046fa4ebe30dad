//! Answers that end in the middle: each is counted once, by what ended it, and measured like all others.

use std::sync::Arc;

use activator_bin::testing::{Activator, Options, TimeoutLimits};
use async_trait::async_trait;
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::sync::{Notify, mpsc};

use crate::support::activator::{Ask, PATIENCE, config, start_with};
use crate::support::backend::Backend;
use crate::support::http1::{Client, get};
use crate::support::metrics::{errors, metrics_at, series, until_measured};
use std::net::SocketAddr;
use std::time::Duration;

/// Nothing that comes before an answer's first bytes takes longer.
const LONG: Duration = Duration::from_secs(2);

/// A client and a backend in the middle of an answer.
async fn midway(activator: &Activator, backend: &Backend) -> (Client, Client) {
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc")
        .await;
    client.head().await;
    assert_eq!(client.bytes(3).await, b"abc");
    (client, connection)
}

async fn check_counted(admin: SocketAddr, reason: &str) {
    until_measured(admin, &[series("GET", "200", reason, true, 1)]).await;
    let once = format!(r#"activator_errors_total{{reason="{reason}"}} 1"#);
    assert_eq!(errors(&metrics_at(admin).await), [once]);
}

async fn check_timed_out(limits: TimeoutLimits, reason: &str) {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.revisions[0].timeouts = limits;
    let activator = start_with(config);
    let (mut client, _connection) = midway(&activator, &backend).await;
    assert_eq!(client.rest().await.0, "");
    check_counted(activator.admin_addr(), reason).await;
}

#[tokio::test]
async fn timeout_within_a_response_is_counted_once() {
    let defaults = TimeoutLimits::default();
    let total = TimeoutLimits {
        total: LONG,
        ..defaults
    };
    let idle = TimeoutLimits {
        idle: Some(LONG),
        ..defaults
    };
    tokio::join!(
        check_timed_out(total, "timeout"),
        check_timed_out(idle, "idle_timeout"),
    );
}

/// Holds up the end of the process, and with it the admin port, until it is told to let go.
struct Holding(Arc<Notify>);

#[async_trait]
impl StatSink for Holding {
    fn name(&self) -> String {
        "holding".into()
    }

    async fn run(
        self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while mailbox.recv().await.is_some() {}
        self.0.notified().await;
        Ok(())
    }
}

#[tokio::test]
async fn response_cut_by_shutdown_counts_as_stopped() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(100);
    config.reporter.flush_timeout = PATIENCE * 6;
    let let_go = Arc::new(Notify::new());
    let options = Options {
        sinks: vec![Box::new(Holding(Arc::clone(&let_go)))],
        ..Options::default()
    };
    let activator = Activator::start(config, options).unwrap();
    let admin = activator.admin_addr();
    let (mut client, _connection) = midway(&activator, &backend).await;
    let stopping = tokio::spawn(activator.stop());
    assert_eq!(client.rest().await.0, "");
    check_counted(admin, "stopped").await;
    let_go.notify_one();
    stopping.await.unwrap();
}
