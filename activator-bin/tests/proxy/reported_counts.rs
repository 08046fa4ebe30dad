//! What sinks are told, compared with what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use activator_bin::testing::{Activator, Options};
use async_trait::async_trait;
use reporter_core::Cause;
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::activator::{Ask, config, echo, hello, options};
use crate::support::backend::answering;
use crate::support::http2::Http2Client;

/// Adds up what it is told.
#[derive(Clone, Default)]
struct Sums(Arc<Totals>);

#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    first_requests: AtomicU64,
}

#[async_trait]
impl StatSink for Sums {
    fn name(&self) -> String {
        "sums".into()
    }

    async fn run(
        self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while let Some(dispatch) = mailbox.recv().await {
            for message in &dispatch.batch.messages {
                assert_eq!(message.key, hello());
                self.0
                    .requests
                    .fetch_add(message.stat.request_count, Ordering::Relaxed);
            }
            if dispatch.batch.cause == Cause::FirstRequest {
                self.0.first_requests.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn counts_add_up_over_http1() {
    const CLIENTS: u64 = 20;
    const EACH: u64 = 50;
    let sums = Sums::default();
    let (address, _requests) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let options = Options {
        sinks: vec![Box::new(sums.clone())],
        ..Options::default()
    };
    let activator = Activator::start(config(&[address]), options).unwrap();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = activator.connect().await;
        clients.spawn(async move {
            for _ in 0..EACH {
                assert_eq!(client.get("/").await.status(), 200);
            }
        });
    }
    clients.join_all().await;
    let stopped = activator.stop().await;
    assert_eq!(stopped.sinks, [("sums".to_owned(), Ok(()))]);
    assert_eq!(sums.0.requests.load(Ordering::Relaxed), CLIENTS * EACH);
    assert!(sums.0.first_requests.load(Ordering::Relaxed) >= 1);
}

#[tokio::test]
async fn counts_add_up_over_http2() {
    const CLIENTS: u64 = 5;
    const EACH: u64 = 40;
    let sums = Sums::default();
    let options = Options {
        sinks: vec![Box::new(sums.clone())],
        ..options()
    };
    let activator = Activator::start(echo(), options).unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = Arc::new(Http2Client::connect(&activator).await);
        for _ in 0..EACH {
            let client = Arc::clone(&client);
            asking.spawn(async move { assert_eq!(client.get("/").await.status(), 200) });
        }
    }
    asking.join_all().await;
    activator.stop().await;
    assert_eq!(sums.0.requests.load(Ordering::Relaxed), CLIENTS * EACH);
}

#[tokio::test]
async fn recording_holds_every_request() {
    let path = std::env::temp_dir().join(format!("activator-history-{}", std::process::id()));
    let (address, _requests) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let options = Options {
        record: Some(path.clone()),
        ..Options::default()
    };
    let activator = Activator::start(config(&[address]), options).unwrap();
    let mut client = activator.connect().await;
    for _ in 0..3 {
        client.get("/").await;
    }
    activator.stop().await;
    let history = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let lines = |op: &str| history.matches(&format!(r#""op":"{op}""#)).count();
    assert_eq!((lines("in"), lines("out")), (3, 3));
    assert!(history.trim_end().ends_with(r#""op":"tick"}"#), "{history}");
}
